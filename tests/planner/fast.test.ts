// SPDX-License-Identifier: MIT
/** The short ways: each says what the long one says, also where a careless condition would let it say something else. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { jumpTableAt, textAt } from '../../planner/compare/constants.js';
import { instructionsOf, referenceOf } from '../../planner/compare/instructions.js';
import { makeSide } from '../../planner/compare/side.js';
import { Kind } from '../../planner/core/load.js';
import { NameTable, Sign } from '../../planner/core/names.js';
import { findFields } from '../../planner/core/sweep.js';
import { Workspace } from '../../planner/core/workspace.js';
import { openElf } from '../../planner/elf/open.js';
import { countBelow, inOrder, orderOf } from '../../planner/elf/order.js';
import { diff, writePatch } from '../../planner/index.js';
import { compilePair, diffPair, type Pair, textOf } from './helpers.js';

const test = suite('fast');

/** The same numbers each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

function disagreement(code: Uint8Array): number {
  const space = Workspace.empty();
  return space.core.disagreement(space.addressOf(code), code.length);
}

test("the decoder's short way says what the long one does, at every byte of a large text", () => {
  const text = textOf(openElf(readFileSync(process.execPath), 'node', { symbols: 'optional' })).subarray(0, 8 << 20);
  assert.is(disagreement(text), text.length);
});

test("the decoder's short way says what the long one does on random bytes, and on those that have other forms", () => {
  const next = numbers(77);
  const odd = [
    0x66, 0xf2, 0xf3, 0xf0, 0x48, 0x40, 0x0f, 0xf6, 0xf7, 0xc7, 0xf8, 0x8f, 0x20, 0x78, 0x64, 0x04, 0x25, 0x05,
  ];
  const bytes = new Uint8Array(2 << 20).map(() => (next(2) === 0 ? odd[next(odd.length)]! : next(256)));
  assert.is(disagreement(bytes), bytes.length);
});

test('a text is the same wherever it is entered, and long runs of letters without an end are none', () => {
  const image = openElf(compilePair('texts.c').old, 'texts');
  const side = makeSide(image);
  for (const [name, ends] of [
    ['ended', true],
    ['endless', false],
    ['cut', false],
  ] as const) {
    const { value } = image.symbols.find((symbol) => symbol.name === name)!;
    const size = ends ? 1601 : 1600;
    // in an order in which each is answered by what is known, or not
    for (const offset of [size >> 1, 0, size - 3, 1, size >> 2])
      assert.is(textAt(side, value + offset)?.length ?? 0, ends ? size - offset : 0, `${name}+${offset}`);
  }
});

test('sorting by keys keeps equal ones in order, with a run before, and beyond 32 bits', () => {
  for (const [seed, size, run] of [
    [1, 2 ** 8, 0],
    [2, 2 ** 24 - 1, 500],
    [3, 2 ** 20, 999],
    [4, 2 ** 8, 1000],
  ] as const)
    for (const scale of [1, 2 ** 14]) {
      const next = numbers(seed);
      const keys = Float64Array.from({ length: 1000 }, () => next(size) * scale);
      keys.subarray(0, run).sort();
      const expected = Array.from(keys, (_, i) => i).sort((a, b) => keys[a]! - keys[b]! || a - b);
      const order = orderOf(keys);
      assert.equal([...order], expected);
      const sorted = inOrder(keys, order);
      for (const key of [0, keys[3]!, keys[3]! + 1, 2 ** 40])
        assert.is(countBelow(sorted, key), keys.filter((one) => one < key).length);
    }
  assert.equal([...orderOf(new Float64Array(0))], []);
});

test('equal names have equal numbers, wherever they begin and end', () => {
  const table = new NameTable(Workspace.empty());
  const plain = ['', 'a', 'abcd', 'abcde', 'abc.de', 'abcdefgh', 'abcdefgi', 'x.constprop.0', 'U', 'abcU', 'abcdefg$'];
  const words = [...plain, 'Ul', 'abcUlx', 'xUl.0', '$_0', 'abcd$_', 'abc$_', 'abcUxl', 'é'];
  const seen = new Map<string, number>();
  for (const shift of [0, 1, 2, 3]) {
    const text = Buffer.from(`${'\0'.repeat(shift + 1)}${words.join('\0')}`);
    const offsets = words.map((word) => (word === '' ? 0 : text.indexOf(`\0${word}${word === 'é' ? '' : '\0'}`) + 1));
    // the last one has no end but that of the table; an offset beyond names nothing; 'bcde' is the end of another
    const all = Uint32Array.from([...offsets, text.length + 5, offsets[3]! + 1]);
    const ids = table.numbersOf(text, all);
    [...words, '', 'bcde'].forEach((word, i) => {
      assert.is(ids[i], seen.get(word) ?? ids[i], word);
      seen.set(word, ids[i]!);
      assert.is(table.find(word), ids[i], word);
      const signs = (word.includes('.') ? Sign.dot : 0) | (/Ul|\$_/.test(word) ? Sign.closure : 0);
      assert.is(table.signs()[ids[i]!], signs, word);
    });
  }
  assert.is(new Set(seen.values()).size, seen.size);
  assert.is(table.count, seen.size);
  assert.is(table.find('abcdef'), -1);
  const many = Array.from({ length: 5000 }, (_, i) => `name${1000 + (i % 2500)}`);
  const offsets = Uint32Array.from(many, (_, i) => i * 9);
  const ids = table.numbersOf(Buffer.from(`${many.join('\0')}\0`), offsets);
  for (const [i, name] of many.entries()) assert.is(ids[i], table.find(name));
  assert.is(table.count, seen.size + 2500);
  assert.is(table.find('abcde'), seen.get('abcde'));
});

test('names in the order of another table have its numbers, and what lies between has its own', () => {
  const next = numbers(11);
  for (let round = 0; round < 200; round++) {
    const table = new NameTable(Workspace.empty());
    const known = new Map<string, number>();
    let names = Array.from({ length: 40 }, () => 'ab'.repeat(20).slice(next(3), 3 + next(35)));
    for (let build = 0; build < 3; build++) {
      // the last text may end with the table
      const text = Buffer.from(names.join('\0') + (next(2) === 0 ? '\0' : ''));
      const offsets = Uint32Array.from(names, (_, i) => names.slice(0, i).join('').length + i);
      table.numbersOf(text, offsets).forEach((id, i) => {
        assert.is(id, known.get(names[i]!) ?? known.size, names[i]);
        known.set(names[i]!, id);
      });
      names = names.flatMap((name) => [[name], [name], [name, `${name}a`], [], [name.slice(1)]][next(5)]!);
    }
    for (const [name, id] of known) assert.is(table.find(name), id);
    assert.is(table.count, known.size);
  }
});

test('fields that lead to an address are found at every place, and none besides', () => {
  const next = numbers(5);
  for (const size of [3, 4, 19, 20, 21, 64, 257]) {
    const bytes = new Uint8Array(size).map(() => next(3) * 85);
    const address = 0x1000;
    const view = new DataView(bytes.buffer);
    for (let at = 0; at + 4 <= size; at += 1 + next(7)) view.setInt32(at, 0x5000 - address - at - 4 - next(6), true);
    const expected = [];
    for (let at = 0; at + 4 <= size; at++) {
      const to = address + at + 4 + view.getInt32(at, true);
      if (to >= 0x5000 - 4 && to <= 0x5000) expected.push(address + at);
    }
    assert.equal([...findFields(Workspace.empty(), { address, bytes }, 0x5000 - 4, 0x5000)!], expected, `${size}`);
  }
});

/** As the command has it: both files in one memory. */
function diffInWorkspace({ old, new: now }: Pair) {
  const workspace = Workspace.forFiles(old.length + now.length)!;
  const [a, b] = [old, now].map((bytes) => {
    const inside = workspace.takeBytes(bytes.length);
    inside.set(bytes);
    return inside;
  }) as [Uint8Array, Uint8Array];
  const result = diff(a, b, { workspace });
  assert.equal([...a], [...old], 'the file was written to');
  assert.equal([...b], [...now], 'the file was written to');
  return result;
}

for (const source of ['program.c', 'shared-constants.c'])
  test(`${source} is diffed alike in a memory of its own and in that of the core`, () => {
    const pair = compilePair(source, {
      flags: ['-Wl,-z,noseparate-code'],
      new: ['-DONE=1', '-DNUMBER', '-DSHIFT'],
    });
    const [inside, outside] = [diffInWorkspace(pair), diff(pair.old, pair.new)];
    const plain = ({ timing: _, patch, ...rest }: typeof inside) => ({
      ...rest,
      patch: patch && [...writePatch(patch)],
    });
    assert.equal(plain(inside), plain(outside));
  });

test('a switch whose table is in one file where no constants are is a change', () => {
  const pair = compilePair('distances.c', { flags: ['-O1', '-fno-tree-switch-conversion', '-DMANY'] });
  const damaged = Uint8Array.from(pair.new);
  const image = openElf(damaged, 'damaged');
  const side = makeSide(image);
  const fn = [...side.functions].find(({ name }) => name === 'jumps')!;
  const lea = instructionsOf(fn).find(
    (one) => one.kind === Kind.address && jumpTableAt(side, referenceOf(fn, one).address, fn) !== null,
  )!;
  const field = fn.section.offset + fn.address - fn.section.address + lea.offset + lea.fieldAt;
  // to the function's own start, and to memory that is not in the file
  const bss = image.sections.find(({ name }) => name === '.bss')!;
  for (const to of [fn.address, bss.address]) {
    new DataView(damaged.buffer).setInt32(field, to - (fn.address + lea.offset + lea.length), true);
    const names = diff(pair.old, damaged).functions.map(({ name }) => name);
    // what lies before the table may seem to go on over it, now that nobody refers to it
    assert.ok(names.includes('jumps'), names.join());
  }
});

for (const [define, changed] of [
  ['ONE', 'says_c'],
  ['NUMBER', 'times_c'],
] as const)
  test(`of many functions that refer to one constant only ${changed} is reported when it refers to another`, () => {
    const pair = compilePair('shared-constants.c', {
      flags: ['-fno-inline', '-fno-ipa-icf'],
      new: [`-D${define}`],
    });
    assert.equal(
      diffPair(pair).functions.map(({ name, change }) => `${name} ${change}`),
      [`${changed} modified`],
    );
  });

for (const number of [0, 1020, 1021, 1022, 1023, 1024, 1025, 1199])
  test(`of more functions than one call of the sweep takes, ${number} is told from the others`, () => {
    const name = `f${number.toString().padStart(4, '0')}`;
    const pair = compilePair('many.c', { flags: [`-DPICK=1${name.slice(1)}`] });
    assert.equal(
      diffPair(pair).functions.map((one) => one.name),
      [name],
    );
  });

const withClang = spawnSync('clang', ['--version']).status === 0 ? test : test.skip;
withClang('a table of distances that others take for bytes is a table for the one that uses it', () => {
  for (const level of ['-O1', '-O2', '-Os']) {
    const flags = [level];
    const same = compilePair('shared-table.c', { compiler: 'clang', flags });
    assert.equal(diffPair(same).functions, []);
    const pair = compilePair('shared-table.c', { compiler: 'clang', flags, new: ['-DTEXT'] });
    assert.equal(
      diffPair(pair).functions.map(({ name }) => name),
      ['name_of'],
    );
  }
});

test('a label is the same one, asked for once or often', () => {
  const image = openElf(compilePair('program.c').old, 'program');
  const often = makeSide(image);
  for (let i = 0; i < 1000; i++) assert.is(often.labelAt(1), null);
  let found = 0;
  for (const address of new Set(image.symbolTable.values)) {
    const label = makeSide(image).labelAt(address);
    assert.equal(often.labelAt(address), label);
    if (label) found++;
  }
  assert.ok(found > 10);
});

test.run();
