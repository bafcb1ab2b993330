// SPDX-License-Identifier: MIT
/** The linker on values: every relocation type with hand-computed results, its limits, and what is refused. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Patch,
  type PatchRelocation,
  type PatchSection,
  type PatchSymbol,
  runAddress,
} from '../../planner/index.js';
import { RuntimeError } from '../../runtime/errors.js';
import { layOut, PAGE } from '../../runtime/link/layout.js';
import { link } from '../../runtime/link/link.js';
import { RELOCATIONS } from '../../runtime/link/relocations.js';

const ARENA = runAddress(0x5555_0000_0000);
const SYMBOL = 0x5554_f000_1230;
/** The first section lies behind the record's page. */
const TEXT = ARENA + PAGE;

const section = (kind: PatchSection['kind'], size: number, align = 16): PatchSection => ({
  name: `.${kind}`,
  kind,
  align,
  size,
  bytes: kind === 'bss' ? new Uint8Array(0) : new Uint8Array(size).fill(0x90),
});
const target: PatchSymbol = { name: 'callee', binding: { kind: 'target', address: 0 as never } };
const imported: PatchSymbol = { name: 'puts', binding: { kind: 'import', version: null } };

function patchOf(parts: Partial<Patch>): Patch {
  return {
    schema: 1,
    name: 'test',
    tool: 'test',
    target: { name: 'target', buildId: 'ab', kind: 'pie' },
    sections: [section('code', 64)],
    symbols: [target],
    relocations: [],
    functions: [],
    unwind: [],
    original: [],
    notes: [],
    ...parts,
  };
}

/** The code part after one relocation at offset 8 of the code section. */
function linkOne(type: number, addend: number, symbol: PatchSymbol, at: number | null, arena = ARENA) {
  const relocation: PatchRelocation = { section: 0, offset: 8, type, symbol: 0, addend };
  const patch = patchOf({ symbols: [symbol], relocations: [relocation] });
  const layout = layOut(patch, 100);
  return { ...link(patch, layout, arena, [at === null ? null : runAddress(at)]), layout };
}

const place = PAGE + 8;
const fails = (action: () => unknown, code: string, message: RegExp) => {
  try {
    action();
  } catch (error) {
    assert.instance(error, RuntimeError);
    assert.is((error as RuntimeError).code, code);
    assert.match((error as RuntimeError).message, message);
    return;
  }
  assert.unreachable(`expected ${code}`);
};

test('R_X86_64_64 writes S + A', () => {
  const { code } = linkOne(1, -16, target, SYMBOL);
  assert.is(code.readBigUInt64LE(place), BigInt(SYMBOL - 16));
});

for (const [type, name] of [
  [2, 'PC32'],
  [4, 'PLT32'],
] as const)
  test(`R_X86_64_${name} writes S + A - P`, () => {
    const { code } = linkOne(type, -4, target, SYMBOL);
    assert.is(code.readInt32LE(place), SYMBOL - 4 - (TEXT + 8));
  });

test('R_X86_64_PC64 writes S + A - P in 64 bits, negative ones too', () => {
  const { code } = linkOne(24, 0, target, 0x1000);
  assert.is(code.readBigInt64LE(place), BigInt(0x1000 - (TEXT + 8)));
});

test('R_X86_64_32 takes all 32 bits unsigned, R_X86_64_32S is signed', () => {
  assert.is(linkOne(10, 0, target, 0xffff_fffe).code.readUInt32LE(place), 0xffff_fffe);
  assert.is(linkOne(11, -0x2000, target, 0x1000).code.readInt32LE(place), -0x1000);
});

test('the 16-bit and 8-bit types write no more than their bytes', () => {
  const { code } = linkOne(12, 0, target, 0xbeef);
  assert.is(code.readUInt16LE(place), 0xbeef);
  assert.is(code[place + 2], 0x90);
  assert.is(linkOne(14, 0, target, 0x7f).code[place], 0x7f);
  assert.is(linkOne(13, 0, target, TEXT).code.readInt16LE(place), -8);
  assert.is(linkOne(15, 0, target, TEXT).code.readInt8(place), -8);
});

for (const [type, name] of [
  [9, 'GOTPCREL'],
  [41, 'GOTPCRELX'],
  [42, 'REX_GOTPCRELX'],
] as const)
  test(`R_X86_64_${name} points to a slot that holds S`, () => {
    const { code } = linkOne(type, -4, imported, 0x7fff_1234_5678);
    const slot = place + 4 + code.readInt32LE(place);
    assert.is(code.readBigUInt64LE(slot), 0x7fff_1234_5678n);
    assert.ok(slot >= PAGE + 64 && slot + 8 <= code.length, 'the slot lies behind the sections, in the r-x part');
  });

test('R_X86_64_GOTPCREL64 points to a slot too', () => {
  const { code } = linkOne(28, 0, imported, 0x7fff_1234_5678);
  assert.is(code.readBigUInt64LE(place + Number(code.readBigInt64LE(place))), 0x7fff_1234_5678n);
});

test('a call of an import goes through a stub that jumps by the slot, however far the import is', () => {
  const { code } = linkOne(4, -4, imported, 0x7fff_1234_5678);
  const stub = place + 4 + code.readInt32LE(place);
  assert.is(code.readUInt16BE(stub), 0xff25);
  const slot = stub + 6 + code.readInt32LE(stub + 2);
  assert.is(code.readBigUInt64LE(slot), 0x7fff_1234_5678n);
});

test('a symbol in the patch lies at its section and offset, in the data part too', () => {
  const patch = patchOf({
    sections: [section('code', 64), section('rodata', 10, 32), section('data', 24, 8), section('bss', 100, 64)],
    symbols: [{ name: 'counter', binding: { kind: 'patch', section: 3, offset: 12 } }],
    relocations: [{ section: 2, offset: 16, type: 1, symbol: 0, addend: 0 }],
  });
  const layout = layOut(patch, 100);
  const { code, data } = link(patch, layout, ARENA, [null]);
  assert.is(data.readBigUInt64LE(16), BigInt(ARENA + code.length + 64 + 12));
  assert.is(data.length, PAGE);
  assert.is(layout.sections[1]! % 32, 0);
});

test('both parts are whole pages, and the record has pages of its own', () => {
  const layout = layOut(patchOf({}), PAGE + 1);
  assert.is(layout.sections[0], 2 * PAGE);
  assert.is(layout.codeSize, 3 * PAGE);
  assert.is(layout.dataSize, 0);
});

test('every type that does not fit is an overflow, at exactly its limit', () => {
  const far = (distance: number) => TEXT + 8 + distance;
  const cases: [type: number, fits: number, overflows: number][] = [
    [2, far(2 ** 31 - 1), far(2 ** 31)],
    [2, far(-(2 ** 31)), far(-(2 ** 31) - 1)],
    [4, far(2 ** 31 - 1), far(2 ** 31)],
    [10, 2 ** 32 - 1, 2 ** 32],
    [11, 2 ** 31 - 1, 2 ** 31],
    [12, 2 ** 16 - 1, 2 ** 16],
    [13, far(2 ** 15 - 1), far(2 ** 15)],
    [14, 255, 256],
    [15, far(-128), far(-129)],
  ];
  for (const [type, fits, overflows] of cases) {
    const { name, bits } = RELOCATIONS.get(type)!;
    linkOne(type, 0, target, fits);
    fails(
      () => linkOne(type, 0, target, overflows),
      'RELOCATION_OVERFLOW',
      new RegExp(`${name} against callee at \\.code\\+0x8: .* does not fit ${bits} bits`),
    );
  }
});

test('R_X86_64_32 refuses a negative value instead of wrapping it', () => {
  fails(() => linkOne(10, -1, target, 0), 'RELOCATION_OVERFLOW', /R_X86_64_32 /);
});

test('types that are not supported are refused by their names', () => {
  fails(() => linkOne(23, 0, target, 0), 'RELOCATION_UNKNOWN', /R_X86_64_TPOFF32 against callee/);
  fails(() => linkOne(19, 0, target, 0), 'RELOCATION_UNKNOWN', /R_X86_64_TLSGD/);
  fails(() => linkOne(99, 0, target, 0), 'RELOCATION_UNKNOWN', /number 99/);
});

test('a relocation that reaches over its section’s end is refused', () => {
  const at = (offset: number) => patchOf({ relocations: [{ section: 0, offset, type: 1, symbol: 0, addend: 0 }] });
  const run = (patch: Patch) => link(patch, layOut(patch, 1), ARENA, [runAddress(SYMBOL)]);
  run(at(56));
  fails(() => run(at(57)), 'RELOCATION_OUTSIDE', /\.code\+0x39 reaches outside its section of 64 bytes/);
});

test('an alignment of more than a page is refused', () => {
  const patch = patchOf({ sections: [section('code', 64, 8192)] });
  fails(() => layOut(patch, 1), 'SECTION_ALIGN', /\.code wants alignment 8192/);
});

test.run();
