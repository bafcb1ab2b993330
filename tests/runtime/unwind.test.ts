// SPDX-License-Identifier: MIT
/**
 * The code that an unwinder asks first, on values: what it says of each place is found out by reading it with iced-x86, and
 * by tests/planner/matrix and tests/guest/unwind by running it.
 */
import { Decoder, DecoderOptions, Formatter, FormatterSyntax } from 'iced-x86';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { linkAddress, type Patch, runAddress } from '../../planner/index.js';
import { RuntimeError } from '../../runtime/errors.js';
import { farJump, farJumpTarget, makeFinder } from '../../runtime/unwind/finder.js';
import { describedFunctions } from '../../runtime/unwind/frames.js';

const FINDER = 0x5040;
const CODE_SIZE = 0x6000;
const FUNCTIONS = [
  { start: 0x1000, end: 0x1080, record: 0x4000 },
  { start: 0x2000, end: 0x2004, record: 0x4028 },
];
const PUSHES = Buffer.from('41574156415541544989f455', 'hex');
const NEXT = runAddress(0x7f12_3456_789a);

function listing(code: Uint8Array, address: number): string[] {
  const decoder = new Decoder(64, code, DecoderOptions.None);
  decoder.ip = BigInt(address);
  const formatter = new Formatter(FormatterSyntax.Gas);
  const lines: string[] = [];
  while (decoder.canDecode) {
    const instruction = decoder.decode();
    lines.push(formatter.format(instruction));
    instruction.free();
  }
  formatter.free();
  decoder.free();
  return lines;
}

test('an entry leads places in the arena to the search, and all others on', () => {
  const { bytes, entries } = makeFinder(FINDER, CODE_SIZE, FUNCTIONS, [{ displaced: PUSHES, next: NEXT }]);
  const [entry] = entries as [number];
  assert.is((FINDER + entry) % 16, 0);
  const search = FINDER + FUNCTIONS.length * 12;
  const lines = listing(bytes.subarray(entry), FINDER + entry);
  assert.equal(
    [0, 2, 3, 4, 5].map((i) => lines[i]),
    [
      'endbr64',
      'mov %rdi,%rcx',
      'sub %rax,%rcx',
      `cmp $0x${CODE_SIZE.toString(16)},%rcx`,
      `jb 0x${search.toString(16).padStart(16, '0')}`,
    ],
  );
  assert.match(lines[1]!, /^lea .*,%rax$/);
  // the lea gives the start of the arena, which is 0 here
  const lea = new Decoder(64, bytes.subarray(entry + 4), DecoderOptions.None);
  lea.ip = BigInt(FINDER + entry + 4);
  assert.is(Number(lea.decode().ipRelMemoryAddress), 0);
  lea.free();
  const tail = bytes.subarray(bytes.length - PUSHES.length - 14);
  assert.equal(tail.subarray(0, PUSHES.length), PUSHES);
  assert.is(farJumpTarget(tail.subarray(PUSHES.length)), NEXT);
});

test('every jump of the search leads to an instruction of it, and the table is before it', () => {
  const { bytes, entries } = makeFinder(FINDER, CODE_SIZE, FUNCTIONS, [{ displaced: PUSHES, next: NEXT }]);
  const table = FUNCTIONS.length * 12;
  assert.equal(
    [0, 1].map((i) => [0, 4, 8].map((field) => bytes.readUInt32LE(i * 12 + field))),
    FUNCTIONS.map(({ start, end, record }) => [start, end, record]),
  );
  const decoder = new Decoder(64, bytes.subarray(table, entries[0]), DecoderOptions.None);
  decoder.ip = BigInt(FINDER + table);
  const starts = new Set<number>();
  const targets: number[] = [];
  while (decoder.canDecode) {
    const instruction = decoder.decode();
    if (instruction.code === 0) break;
    starts.add(Number(instruction.ip));
    if (instruction.nearBranchTarget) targets.push(Number(instruction.nearBranchTarget));
    if (instruction.isIpRelMemoryOperand) assert.is(Number(instruction.ipRelMemoryAddress), FINDER);
    instruction.free();
  }
  decoder.free();
  assert.is(targets.length, 4);
  for (const target of targets) assert.ok(starts.has(target), `no instruction at 0x${target.toString(16)}`);
});

test('each continuation has an entry of its own', () => {
  const { entries } = makeFinder(FINDER, CODE_SIZE, FUNCTIONS, [
    { displaced: PUSHES, next: NEXT },
    { displaced: new Uint8Array(0), next: NEXT },
  ]);
  assert.is(new Set(entries).size, 2);
});

test('a far jump reads its target from right behind itself', () => {
  const decoder = new Decoder(64, farJump(NEXT), DecoderOptions.None);
  decoder.ip = 0x1000n;
  assert.is(Number(decoder.decode().ipRelMemoryAddress), 0x1006);
  decoder.free();
  assert.is(Number(farJump(NEXT).readBigUInt64LE(6)), NEXT);
  assert.is(farJumpTarget(farJump(NEXT)), NEXT);
});

/** A CIE, and a record for 0x30 bytes at the symbol with a relocation, in a section that the layout puts at 0x4000. */
function patchWith(frames: Uint8Array): Patch {
  const section = { kind: 'code', align: 16, size: 0x40, bytes: new Uint8Array(0x40) } as const;
  return {
    schema: 1,
    name: 'p',
    tool: 't',
    target: { name: 't', buildId: 'ab', kind: 'pie' },
    sections: [
      { name: '.text.f', ...section },
      { name: '.eh_frame', kind: 'rodata', align: 8, size: frames.length, bytes: frames },
    ],
    symbols: [
      { name: 'f', binding: { kind: 'patch', section: 0, offset: 4 } },
      { name: 'g', binding: { kind: 'target', address: linkAddress(0x1000) } },
    ],
    relocations: [{ section: 1, offset: 0x18 + 8, type: 2, symbol: 0, addend: 0 }],
    functions: [],
    unwind: ['f'],
    original: [],
    notes: [],
  };
}

const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
const CIE = [0x14, 0, 0, 0, 0, 0];
const FDE = [0x14, 0x1c, 0, 0x30, 0, 0];

test('a record describes the function that its first field is bound to', () => {
  const patch = patchWith(words(...CIE, ...FDE, 0));
  assert.equal(describedFunctions(patch, { sections: [0x1000, 0x4000] }), [
    { start: 0x1004, end: 0x1034, record: 0x4018 },
  ]);
});

test('records that do not add up are refused: a length beyond the section, a function of the target', () => {
  const refuses = (patch: Patch) => {
    try {
      describedFunctions(patch, { sections: [0x1000, 0x4000] });
    } catch (error) {
      return error instanceof RuntimeError && error.code;
    }
    return null;
  };
  assert.is(refuses(patchWith(words(...CIE, 0x1000, 0x1c, 0, 0x30, 0, 0, 0))), 'PATCH_UNUSABLE');
  assert.is(refuses(patchWith(words(...CIE, 2, 0x1c))), 'PATCH_UNUSABLE');
  const patch = patchWith(words(...CIE, ...FDE, 0));
  assert.is(refuses({ ...patch, relocations: [{ ...patch.relocations[0]!, symbol: 1 }] }), 'PATCH_UNUSABLE');
  assert.is(refuses({ ...patch, sections: patch.sections.slice(0, 1) }), 'PATCH_UNUSABLE');
});

test.run();
