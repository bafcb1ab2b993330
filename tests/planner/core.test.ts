// SPDX-License-Identifier: MIT
/**
 * The core against iced-x86, instruction by instruction: the length, and where displacement and immediates lie.
 *
 * Over every byte of the .text of real programs, and over random bytes where both decode. AMD's and Intel's readings of
 * a branch with a 66 prefix differ; compilers emit none.
 */
import { existsSync, readFileSync } from 'node:fs';
import { Decoder, DecoderOptions } from 'iced-x86';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { instructionAt, instructionCount } from '../../planner/core/instruction.js';
import { decodeFunctions, Kind } from '../../planner/core/load.js';
import { openElf } from '../../planner/elf/open.js';
import { textOf } from './helpers.js';

const test = suite('core');
const CHUNK = 1 << 15;
const MOST = 6 << 20;

/** Compares one run of code; gives the number of instructions compared. */
function compareWithIced(code: Uint8Array, what: string): number {
  const [decoded] = decodeFunctions(code, [{ start: 0, size: code.length }]);
  const decoder = new Decoder(64, code, DecoderOptions.None);
  let compared = 0;
  let end = 0;
  try {
    for (; compared < instructionCount(decoded!.rows); compared++) {
      const ours = instructionAt(decoded!.rows, compared, 0);
      const theirs = decoder.decode();
      const offsets = decoder.getConstantOffsets(theirs);
      end = ours.offset + ours.length;
      const bytes = Buffer.from(code.subarray(ours.offset, ours.offset + 15)).toString('hex');
      const where = `${what} at ${ours.offset.toString(16)}: ${bytes}`;
      const invalid = theirs.code === 0;
      // libcrypto keeps tables in .text, where bytes that are no instruction for iced may be one for us
      if (invalid) assert.match(what, /libcrypto/, `${where}: not an instruction for iced`);
      if (!invalid) {
        assert.is(ours.length, theirs.length, where);
        const pcRelative = theirs.isIpRelMemoryOperand;
        assert.is(ours.kind === Kind.memory || ours.kind === Kind.address, pcRelative, `${where}: ip-relative`);
        if (pcRelative) {
          assert.is(ours.fieldAt, offsets.displacementOffset, where);
          assert.is(ours.fieldSize, offsets.displacementSize, where);
          // with an address-size prefix the sum has 32 bits; only data that looks like code has one here
          const bits = ours.prefixes & 32 ? 32 : 64;
          assert.is(BigInt.asUintN(bits, BigInt(end + ours.distance)), theirs.ipRelMemoryAddress, where);
        } else if (offsets.hasDisplacement && ours.opcode >> 8 === 0 && ours.displacementSize > 0) {
          assert.is(ours.displacementAt, offsets.displacementOffset, where);
        }
        if (theirs.nearBranchTarget !== 0n && ours.fieldSize > 0 && !pcRelative)
          assert.is(BigInt.asUintN(64, BigInt(end + ours.distance)), theirs.nearBranchTarget, where);
        if (offsets.hasImmediate && ours.immediateSize > 0) assert.is(ours.immediateAt, offsets.immediateOffset, where);
        // SSE and XOP put a register or an opcode suffix where we see an immediate: one way only
        if (offsets.hasImmediate && ours.fieldSize === 0 && ours.displacementSize === 0)
          assert.ok(ours.immediateSize > 0, `${where}: immediate`);
      } else {
        decoder.position = end;
        decoder.ip = BigInt(end);
      }
      offsets.free();
      theirs.free();
    }
  } finally {
    decoder.free();
  }
  return compared;
}

const programs = [
  '/bin/bash',
  '/lib/x86_64-linux-gnu/libc.so.6',
  '/usr/lib/x86_64-linux-gnu/libcrypto.so.3',
  process.execPath,
];
for (const path of programs) {
  test(`agrees with iced-x86 over the text of ${path}`, () => {
    if (!existsSync(path)) {
      console.log(`  skipped: ${path} is not on this machine`);
      return;
    }
    const text = textOf(openElf(readFileSync(path), path, { symbols: 'optional' })).subarray(0, MOST);
    let total = 0;
    let at = 0;
    // data in text (hand-written assembly) stops the core: go on behind it, where both are in step again
    while (at < text.length) {
      const piece = text.subarray(at, Math.min(text.length, at + CHUNK));
      const [decoded] = decodeFunctions(piece, [{ start: 0, size: piece.length }]);
      const stop = decoded!.undecodable;
      total += compareWithIced(piece.subarray(0, stop ?? piece.length), path);
      // an instruction that the end of the piece cut off is the next piece's first
      const cut = stop !== null && stop > 0 && piece.length - stop < 15 && at + piece.length < text.length;
      at += stop === null ? piece.length : cut ? stop : stop + 1;
    }
    console.log(`  ${path}: ${total} instructions`);
    assert.ok(total > 100_000);
  });
}

test('agrees with iced-x86 on random bytes where both decode', () => {
  let seed = 0x1234567;
  const next = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed >>> 16;
  };
  const interesting = [0x66, 0xf2, 0xf3, 0x0f, 0x48, 0x41, 0xc4, 0xc5, 0x62, 0x67];
  let both = 0;
  for (let round = 0; round < 60_000; round++) {
    const bytes = new Uint8Array(16).map(() => next() & 0xff);
    if (round % 2 === 0) bytes[0] = interesting[next() % interesting.length]!;
    const [decoded] = decodeFunctions(bytes, [{ start: 0, size: 15 }]);
    if (instructionCount(decoded!.rows) === 0) continue;
    const ours = instructionAt(decoded!.rows, 0, 0);
    const decoder = new Decoder(64, bytes.subarray(0, 15), DecoderOptions.None);
    const theirs = decoder.decode();
    const branch66 = theirs.nearBranchTarget !== 0n && (ours.prefixes & 16) !== 0;
    if (theirs.code !== 0 && !branch66) {
      both++;
      assert.is(ours.length, theirs.length, Buffer.from(bytes).toString('hex'));
    }
    theirs.free();
    decoder.free();
  }
  console.log(`  ${both} of 60000 decode in both`);
  assert.ok(both > 20_000);
});

test('an undecodable byte is told with its offset', () => {
  const [decoded] = decodeFunctions(Uint8Array.of(0x90, 0x90, 0x06, 0xc3), [{ start: 0, size: 4 }]);
  assert.is(decoded!.undecodable, 2);
});

test('an instruction cut off by the end of the function is undecodable', () => {
  const [decoded] = decodeFunctions(Uint8Array.of(0xc3, 0xe8, 0, 0, 0, 0), [{ start: 0, size: 4 }]);
  assert.is(decoded!.undecodable, 1);
});

test('the hash leaves out distances, padding and the size of a branch, and nothing else', () => {
  const hash = (...bytes: number[]) =>
    decodeFunctions(Uint8Array.from(bytes), [{ start: 0, size: bytes.length }])[0]!.hash;
  const call = hash(0xe8, 1, 2, 3, 4, 0xc3);
  assert.is(hash(0xe8, 9, 9, 9, 9, 0xc3), call);
  assert.is(hash(0xe8, 9, 9, 9, 9, 0x66, 0x90, 0xc3), call);
  assert.is(hash(0x74, 5), hash(0x0f, 0x84, 1, 2, 3, 4));
  assert.is.not(hash(0x74, 5), hash(0x75, 5));
  assert.is.not(hash(0xb8, 1, 0, 0, 0), hash(0xb8, 2, 0, 0, 0));
  assert.is(hash(0x48, 0x8d, 5, 1, 2, 3, 4), hash(0x48, 0x8d, 5, 4, 3, 2, 1));
});

test.run();
