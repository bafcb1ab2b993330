// SPDX-License-Identifier: MIT
/** Debugging information in all the forms that compilers and linkers give it: the same types must be found in each. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { debugInfoOf } from '../../planner/elf/dwarf/debug-info.js';
import { layoutOf, layoutsOf } from '../../planner/elf/dwarf/layouts.js';
import { openElf } from '../../planner/elf/open.js';
import { ElfError } from '../../planner/index.js';
import { type Build, compilePair, diffPair, type Pair, scratchFolder } from './helpers.js';

const test = suite('debug-info');

const refusals = (pair: Pair) => diffPair(pair).refusals.map(({ code, symbol }) => `${code} ${symbol}`);
const forms: readonly (readonly [string, readonly string[]])[] = [
  ['DWARF 4', ['-gdwarf-4']],
  ['DWARF 5 in the 64-bit format', ['-gdwarf-5', '-gdwarf64']],
  ['DWARF 5 with types in units of their own', ['-gdwarf-5', '-fdebug-types-section']],
  ['DWARF 4 with types in units of their own', ['-gdwarf-4', '-fdebug-types-section']],
  ['compressed sections', ['-gz=zlib']],
  ['sections compressed the old way', ['-gz=zlib-gnu']],
  ['link-time optimisation', ['-flto', '-ffat-lto-objects']],
];
for (const [title, flags] of forms) {
  test(`a new member is found in ${title}`, () => {
    assert.equal(refusals(compilePair('layout.c', { flags: ['-DMEMBER', ...flags] })), [
      'LAYOUT_CHANGED struct request',
    ]);
  });
  test(`a bit field in padding is found in ${title}, with its place`, () => {
    const { refusals: found } = diffPair(compilePair('layout.c', { flags: ['-DPADDING', ...flags] }));
    assert.match(found[0]!.message, /^struct request: member urgent is new at 17 bit 0 \(1 wide\)/);
  });
  test(`a structure on the stack is none of the process’s in ${title}`, () => {
    assert.equal(refusals(compilePair('layout.c', { flags: ['-DLOCAL', ...flags] })), []);
  });
}

const hasClang = spawnSync('clang', ['--version']).status === 0;
if (!hasClang) console.log('skipped: debugging information as clang writes it; install the package clang');
const asClang = hasClang ? test : test.skip;
for (const format of ['-gdwarf-4', '-gdwarf-5'])
  asClang(`types are found as clang writes them, ${format}`, () => {
    const build = (define: string): Build => ({ compiler: 'clang', flags: [define, format] });
    assert.equal(refusals(compilePair('layout.c', build('-DPADDING'))), ['LAYOUT_CHANGED struct request']);
    assert.equal(refusals(compilePair('layout.c', build('-DHEAP'))), ['LAYOUT_CHANGED struct scan']);
    assert.equal(refusals(compilePair('layout.c', build('-DLOCAL'))), []);
    assert.equal(refusals(compilePair('layout.cpp', { ...build('-DVIRTUAL'), compiler: 'clang++' })), [
      'LAYOUT_CHANGED class Item',
    ]);
  });

test('a class in a type unit is compared with its virtual functions', () => {
  assert.equal(refusals(compilePair('layout.cpp', { flags: ['-fdebug-types-section'] })), [
    'LAYOUT_CHANGED class Item',
  ]);
});

test('split debugging information is not there, and a note says where it is', () => {
  const folder = scratchFolder();
  const source = compilePair('layout.c', { flags: ['-DMEMBER', '-gsplit-dwarf', '-dumpdir', `${folder}/`] });
  const { refusals: found, notes } = diffPair(source);
  assert.equal(found, []);
  const [note] = notes.filter(({ code }) => code === 'LAYOUT_UNCHECKED');
  assert.match(note!.message, /the debugging information of \w+ is in \S+\.dwo, so .* without -gsplit-dwarf/);
});

test('members are named as C sees them, with their places and types', () => {
  const { old } = compilePair('layout.c', { flags: ['-DMEMBER'] });
  const info = debugInfoOf(openElf(old, 'program'))!;
  const types = layoutsOf(info, info.units);
  const { size, members } = layoutOf(info, types.get('struct request')![0]!);
  assert.is(size, 24);
  assert.equal(
    members.map(({ name, offset, type }) => `${offset / 8} ${type()} ${name}`),
    ['0 struct request * next', '8 int length', '12 enum state state', '16 char kind', '20 enum verb verb'],
  );
});

test('a name that would write on the terminal is shown by its numbers', () => {
  const pair = compilePair('layout.c', { flags: ['-DMEMBER'] });
  const now = Buffer.from(pair.new);
  const at = now.indexOf('deadline\0');
  assert.ok(at > 0);
  now[at + 1] = 0x1b;
  const { refusals: found } = diffPair({ ...pair, new: now });
  assert.match(found[0]!.message, /member d\\u\{1b\}adline is new/);
});

test('sections compressed in a way that is not known are an error that says so', () => {
  const { old } = compilePair('layout.c', { flags: ['-DMEMBER', '-gz=zlib'] });
  const bytes = Buffer.from(old);
  const section = openElf(bytes, 'program').sections.find(({ name }) => name === '.debug_info')!;
  bytes.writeUInt32LE(9, section.offset);
  assert.throws(
    () => debugInfoOf(openElf(bytes, 'program')),
    (error: unknown) =>
      error instanceof ElfError &&
      error.code === 'DEBUG' &&
      /\.debug_info is compressed by method 9/.test(error.message),
  );
});

test('sections compressed with zstd are read, or refused with what to do', () => {
  const { oldPath } = compilePair('layout.c', { flags: ['-DMEMBER'] });
  const packed = join(scratchFolder(), 'zstd');
  execFileSync('objcopy', ['--compress-debug-sections=zstd', oldPath, packed]);
  const open = () => debugInfoOf(openElf(readFileSync(packed), 'program'));
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
  if (major > 22 || (major === 22 && minor >= 15)) assert.ok(open());
  else
    assert.throws(
      open,
      /compressed with zstd, which this Node cannot unpack; use `objcopy --decompress-debug-sections`/,
    );
});

test.run();
