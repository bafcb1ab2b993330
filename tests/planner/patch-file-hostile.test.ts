// SPDX-License-Identifier: MIT
/**
 * A patch file made by an enemy: every field that the reader believes, wrong, with the right hash. The refusal names the place; and
 * a small file cannot make the reader take much time or memory.
 */
import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { linkAddress, type Patch, PatchFileError, readPatch, writePatch } from '../../planner/index.js';
import { LIMITS } from '../../planner/patch-file/format.js';
import { encodePatch } from '../../planner/patch-file/write.js';
import { compilePair, diffPair } from './helpers.js';

const test = suite('patch-file-hostile');
const patch = diffPair(compilePair('program.c', { new: ['-DONE=7', '-DSHIFT'] })).patch!;
const good = writePatch(patch);
const first = patch.functions[0]!;

const SHDR = 64;
const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const headersOf = (bytes: Uint8Array) => Number(view(bytes).getBigUint64(40, true));
const countOf = (bytes: Uint8Array) => view(bytes).getUint16(60, true);

function nameOf(bytes: Uint8Array, index: number): string {
  const names = headersOf(bytes) + view(bytes).getUint16(62, true) * SHDR;
  const at = Number(view(bytes).getBigUint64(names + 24, true));
  const start = at + view(bytes).getUint32(headersOf(bytes) + index * SHDR, true);
  return Buffer.from(bytes.subarray(start, bytes.indexOf(0, start))).toString();
}

/** Offset of the section header, and of the section's content. */
function find(
  bytes: Uint8Array,
  name: string,
): { readonly header: number; readonly at: number; readonly size: number } {
  for (let i = 0; i < countOf(bytes); i++) {
    if (nameOf(bytes, i) !== name) continue;
    const header = headersOf(bytes) + i * SHDR;
    const [at, size] = [24, 32].map((field) => Number(view(bytes).getBigUint64(header + field, true))) as [
      number,
      number,
    ];
    return { header, at, size };
  }
  throw new Error(`no section ${name}`);
}

function signed(bytes: Uint8Array): Uint8Array {
  const owner = find(good, '.note.driftpatch').at + find(good, '.note.driftpatch').size - 44;
  bytes.fill(0, owner + 12, owner + 44);
  bytes.set(createHash('sha256').update(bytes).digest(), owner + 12);
  return bytes;
}

function edited(change: (bytes: Uint8Array, fields: DataView) => void): Uint8Array {
  const bytes = Uint8Array.from(good);
  change(bytes, view(bytes));
  return signed(bytes);
}

function refuses(bytes: Uint8Array, place: RegExp, code = 'DAMAGED'): void {
  try {
    readPatch(bytes);
  } catch (error) {
    if (!(error instanceof PatchFileError)) throw error;
    assert.is(error.code, code, error.message);
    assert.match(error.message, place);
    return;
  }
  assert.unreachable(`expected a refusal that says ${place}`);
}

const rela = () => find(good, `.rela${patch.sections[patch.relocations[0]!.section]!.name}`);
const symtab = () => find(good, '.symtab');

const fields: readonly [string, (bytes: Uint8Array, fields: DataView) => void, RegExp, string?][] = [
  ['another version of ELF', (b) => b.set([2], 6), /identification/],
  ['an ABI', (b) => b.set([3], 7), /identification/],
  ['an entry', (_, f) => f.setBigUint64(24, 1n, true), /entry 0/],
  ['program headers', (_, f) => f.setUint16(56, 1, true), /program headers/],
  ['a section header size of 63', (_, f) => f.setUint16(58, 63, true), /section header size/],
  ['no sections', (_, f) => f.setUint16(60, 0, true), /section headers/],
  ['more sections than there is file', (_, f) => f.setUint16(60, 60000, true), /section headers/, 'TRUNCATED'],
  ['headers at 2^63', (_, f) => f.setBigUint64(40, 1n << 63n, true), /section headers/, 'TRUNCATED'],
  ['headers in the middle', (_, f) => f.setBigUint64(40, 128n, true), /at the end of the file/],
  ['a name table that is none', (_, f) => f.setUint16(62, 1, true), /section name table/],
  ['a name table beyond the last', (_, f) => f.setUint16(62, 9999, true), /section name table/],
  ['a first section that is one', (b, f) => f.setUint32(headersOf(b) + 44, 1, true), /section 0/],
  [
    'a section of 2^63 bytes',
    (b, f) => f.setBigUint64(headersOf(b) + SHDR + 32, 1n << 63n, true),
    /section 1: .*range/,
  ],
  ['an offset that wraps', (b, f) => f.setBigUint64(headersOf(b) + SHDR + 24, (1n << 64n) - 16n, true), /section 1/],
  [
    'a section beyond the end',
    (b, f) => f.setBigUint64(find(b, '.strtab').header + 32, 1n << 29n, true),
    /bytes at/,
    'TRUNCATED',
  ],
  [
    'two sections at one place',
    (b, f) => f.setBigUint64(headersOf(b) + 2 * SHDR + 24, 64n, true),
    /behind the section before it/,
  ],
  [
    'a section over the headers',
    (b, f) =>
      f.setBigUint64(
        find(b, '.shstrtab').header + 32,
        f.getBigUint64(find(b, '.shstrtab').header + 32, true) + 64n,
        true,
      ),
    /behind the section before it/,
  ],
  ['a section with an address', (b, f) => f.setBigUint64(headersOf(b) + SHDR + 16, 4096n, true), /no address/],
  ['an alignment of 3', (b, f) => f.setBigUint64(headersOf(b) + SHDR + 48, 3n, true), /alignment/],
  ['an alignment of 2^20', (b, f) => f.setBigUint64(headersOf(b) + SHDR + 48, 1n << 20n, true), /alignment/],
  ['an alignment of 0', (b, f) => f.setBigUint64(headersOf(b) + SHDR + 48, 0n, true), /alignment/],
  [
    'code that can be written',
    (b, f) => f.setBigUint64(headersOf(b) + SHDR + 8, 7n, true),
    /code, rodata, data or bss/,
  ],
  [
    'a section name outside of the table',
    (b, f) => f.setUint32(headersOf(b) + SHDR, 0xffffffff, true),
    /a name of at most/,
  ],
  ['a section without a name', (b, f) => f.setUint32(headersOf(b) + SHDR, 0, true), /a name, and zeros|without a name/],
  [
    'two symbol tables',
    (b, f) => f.setUint32(find(b, '.strtab').header, f.getUint32(symtab().header, true), true),
    /one .symtab/,
  ],
  [
    'no string table',
    (b, f) => f.setUint32(find(b, '.strtab').header, f.getUint32(find(b, '.shstrtab').header, true), true),
    /one .strtab/,
  ],
  [
    'a loaded plan',
    (b, f) => f.setBigUint64(find(b, '.driftpatch.plan').header + 8, 2n, true),
    /loaded sections first/,
  ],
  ['a symbol table of another entry size', (_, f) => f.setBigUint64(symtab().header + 56, 16n, true), /entries of 24/],
  [
    'a symbol table of half an entry',
    (_, f) => f.setBigUint64(symtab().header + 32, BigInt(symtab().size - 12), true),
    /entries of 24/,
  ],
  ['a symbol table linked elsewhere', (_, f) => f.setUint32(symtab().header + 40, 1, true), /link to .strtab/],
  ['a symbol name outside of the table', (_, f) => f.setUint32(symtab().at + 24, 0x7fffffff, true), /symbol 1: .*name/],
  ['a symbol in no section', (_, f) => f.setUint16(symtab().at + 24 + 6, 999, true), /symbol 1/],
  [
    'a symbol in the plan',
    (b, f) => f.setUint16(symtab().at + 24 + 6, countOf(b) - 3, true),
    /place in a loaded section/,
  ],
  ['a symbol behind its section', (_, f) => setPatchSymbol(f, 8, 1n << 40n), /place in a loaded section/],
  [
    'a symbol reaching out of its section',
    (_, f) => setPatchSymbol(f, 16, (1n << 64n) - 1n),
    /place in a loaded section/,
  ],
  ['a symbol at 2^63', (_, f) => f.setBigUint64(symtab().at + 24 + 8, 1n << 63n, true), /below 2\^47/],
  ['a weak symbol', (b) => b.set([0x20], symtab().at + 24 + 4), /local symbol/],
  ['a first symbol that is one', (b) => b.set([1], symtab().at), /symbol 0/],
  ['locals behind globals', (_, f) => f.setUint32(symtab().header + 44, 1, true), /local symbol/],
  [
    'relocations of another table',
    (_, f) => f.setUint32(rela().header + 40, 1, true),
    /relocations of a loaded section/,
  ],
  ['relocations of no section', (_, f) => f.setUint32(rela().header + 44, 0, true), /relocations of a loaded section/],
  [
    'relocations under another name',
    (b, f) => f.setUint32(rela().header, f.getUint32(headersOf(b) + SHDR, true), true),
    /expected .rela/,
  ],
  ['a relocation symbol of 2^32-1', (_, f) => f.setUint32(rela().at + 12, 0xffffffff, true), /a symbol from 1/],
  ['a relocation of no symbol', (_, f) => f.setUint32(rela().at + 12, 0, true), /a symbol from 1/],
  ['an unknown relocation type', (_, f) => f.setUint32(rela().at + 8, 37, true), /a type a patch may hold/],
  ['a relocation at 2^64-1', (_, f) => f.setBigUint64(rela().at, (1n << 64n) - 1n, true), /a field within/],
  ['an addend of 2^63', (_, f) => f.setBigInt64(rela().at + 16, -(1n << 63n), true), /an addend/],
  [
    'a note of another size',
    (b, f) => f.setUint32(find(b, '.note.driftpatch').at + 4, 0xffffffff, true),
    /notes of driftpatch/,
  ],
  [
    'notes in another order',
    (b, f) => f.setUint32(find(b, '.note.driftpatch').at + 8, 0x64500002, true),
    /schema, build id and hash/,
  ],
  [
    'a future schema',
    (b, f) => f.setUint32(find(b, '.note.driftpatch').at + 24, 2, true),
    /expected 1, found 2/,
    'SCHEMA',
  ],
  [
    'another build id in the note than in the plan',
    (b) => b.set([1, 2, 3], find(b, '.note.driftpatch').at + 28 + 24),
    /as in the note/,
  ],
  ['a plan that is no text', (b) => b.set([0xff], find(b, '.driftpatch.plan').at + 4), /JSON in UTF-8/],
];

function setPatchSymbol(fields: DataView, field: number, value: bigint): void {
  const { at, size } = symtab();
  for (let symbol = at + 24; symbol < at + size; symbol += 24) {
    const home = fields.getUint16(symbol + 6, true);
    if (home === 0 || home >= 0xff00) continue;
    fields.setBigUint64(symbol + field, value, true);
    return;
  }
}

for (const [title, change, place, code] of fields) test(title, () => refuses(edited(change), place, code));

test('bytes behind the end, and the ends of every part cut off', () => {
  refuses(Uint8Array.from([...good, 0]), /at the end of the file/);
  refuses(good.subarray(0, good.length - 1), /section headers/, 'TRUNCATED');
});

const functions = (change: object) => ({ ...patch, functions: [{ ...first, ...change }] }) as Patch;
const old = (change: object) => functions({ old: { ...first.old, ...change } });

const plans: readonly [string, Patch, RegExp][] = [
  ['no function', { ...patch, functions: [] }, /one at least/],
  ['a name with an escape', functions({ name: 'f\u001b[2J' }), /printable text/],
  ['a name that turns the writing', functions({ name: 'f\u202e' }), /printable text/],
  ['a note that moves the cursor', { ...patch, notes: [{ code: 'NOTE', symbol: null, message: 'a\rb' }] }, /printable/],
  ['a note with an odd code', { ...patch, notes: [{ code: 'note it', symbol: null, message: '' }] }, /capitals/],
  ['a tool with a line break', { ...patch, tool: 'a\nb' }, /printable/],
  ['a target in a folder', { ...patch, target: { ...patch.target, name: '../x' } }, /without folders/],
  [
    'a symbol name with an escape',
    { ...patch, symbols: patch.symbols.map((s) => ({ ...s, name: `${s.name}\u0007` })) },
    /printable name/,
  ],
  [
    'a section name with an escape',
    { ...patch, sections: patch.sections.map((s) => ({ ...s, name: `${s.name}\u009b` })) },
    /printable name/,
  ],
  ['an address of 2^47', old({ address: 2 ** 47 }), /2\^47|whole number/],
  ['an end beyond 2^47', old({ address: 2 ** 47 - 4 }), /end below 2\^47/],
  ['a negative address', old({ address: -4096 }), /whole number/],
  ['half an address', old({ address: 0.5 }), /whole number/],
  ['an old size of zero', old({ size: 0 }), /a size/],
  ['room for no jump', old({ room: 4, size: 4 }), /room for a jump/],
  ['less room than function', old({ size: 64, room: 32 }), /room for a jump/],
  ['a detour at 1', old({ detourOffset: 1 }), /0 or 4/],
  ['new code in no section', functions({ new: { ...first.new, section: 999 } }), /whole number/],
  ['new code of no bytes', functions({ new: { ...first.new, size: 0 } }), /range of a code section/],
  ['new code beyond its section', functions({ new: { ...first.new, size: 2 ** 31 } }), /range of a code section/],
  ['a function twice', { ...patch, functions: [first, first] }, /apart from the old code/],
  [
    'a function within another',
    { ...patch, functions: [first, { ...first, old: { ...first.old, address: linkAddress(first.old.address + 1) } }] },
    /apart from the old code/,
  ],
  [
    'a part within another function',
    functions({ oldParts: [{ address: first.old.address, size: 4 }] }),
    /apart from the old code/,
  ],
  [
    'two functions with one new body',
    { ...patch, functions: [first, { ...first, old: { ...first.old, address: linkAddress(2 ** 40) } }] },
    /apart from the new code/,
  ],
  [
    'an import without a name',
    { ...patch, symbols: [...patch.symbols, { name: '', binding: { kind: 'import', version: 'V' } }] },
    /an import/,
  ],
];

for (const [title, bad, place] of plans) {
  test(`in the plan: ${title}`, () => {
    refuses(encodePatch(bad), place);
    assert.throws(
      () => writePatch(bad),
      (error: unknown) => error instanceof PatchFileError,
      'nor is it written',
    );
  });
}

const peak = () => process.resourceUsage().maxRSS / 1024;

test('many sections over the same bytes cost nothing', () => {
  const before = peak();
  const content = new Uint8Array(16 << 20);
  const big = encodePatch({
    ...patch,
    sections: [
      ...patch.sections,
      { name: '.rodata.big', kind: 'rodata', align: 1, size: content.length, bytes: content },
    ],
  });
  const count = 60_000;
  const start = headersOf(big);
  const bytes = new Uint8Array(start + count * SHDR);
  bytes.set(big.subarray(0, start));
  const header = find(big, '.rodata.big').header;
  for (let i = 0; i < count; i++) bytes.set(big.subarray(header, header + SHDR), start + i * SHDR);
  view(bytes).setUint16(60, count, true);
  refuses(bytes, /section/);
  assert.ok(peak() - before < 400, `took ${peak() - before} MiB`);
});

test('a million symbols that share one long name are refused before they are names', () => {
  const name = 'n'.repeat(LIMITS.name - 1);
  const symbols = Array.from({ length: 1 << 16 }, (_, i) => ({
    name,
    binding: { kind: 'target' as const, address: linkAddress(i) },
  }));
  refuses(encodePatch({ ...patch, symbols: [...patch.symbols, ...symbols] }), /names of \d+ bytes at most/);
});

test('a string table without an end is not searched again for every symbol', () => {
  const bytes = encodePatch({
    ...patch,
    symbols: [
      ...patch.symbols,
      { name: 'x'.repeat(LIMITS.name + 1), binding: { kind: 'target', address: linkAddress(0) } },
    ],
  });
  refuses(bytes, /a name of at most/);
});

test('a plan that is nothing but brackets', () => {
  const plan = find(good, '.driftpatch.plan');
  refuses(
    edited((bytes) => bytes.fill(0x5b, plan.at, plan.at + plan.size)),
    /JSON/,
  );
});

test('every byte of a small file may be any other: an error with a place or a patch, never a fault', () => {
  let read = 0;
  for (let at = 0; at < good.length; at++)
    for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
      if (good[at] === value) continue;
      const bytes = Uint8Array.from(good);
      bytes[at] = value;
      try {
        readPatch(signed(bytes));
        read++;
      } catch (error) {
        if (!(error instanceof PatchFileError)) throw error;
        assert.ok(error.place.length > 0);
      }
    }
  // code, constants, texts of the plan, addends
  assert.ok(read > 50, `${read} of ${good.length} are read`);
});

test.run();
