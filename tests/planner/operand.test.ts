// SPDX-License-Identifier: MIT
/** Operand widths against iced-x86: what the table knows, it must know rightly. */
import { existsSync, readFileSync } from 'node:fs';
import { Decoder, DecoderOptions, MemorySizeExt } from 'iced-x86';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { operandSize } from '../../planner/compare/operand.js';
import { instructionAt, instructionCount } from '../../planner/core/instruction.js';
import { decodeFunctions, Kind } from '../../planner/core/load.js';
import { openElf } from '../../planner/elf/open.js';
import type { CodeFunction } from '../../planner/match/functions.js';
import { textOf } from './helpers.js';

const test = suite('operand');

/** All of the code as one function. */
const asFunction = (bytes: Uint8Array) => ({ address: 0, section: { address: 0, bytes } }) as unknown as CodeFunction;

/** Compares every operand relative to the instruction pointer; gives how many the table knows, and of how many. */
function compare(code: Uint8Array, what: string): { known: number; all: number } {
  const { rows } = decodeFunctions(code, [{ start: 0, size: code.length }])[0]!;
  const fn = asFunction(code);
  const decoder = new Decoder(64, code, DecoderOptions.None);
  const count = { known: 0, all: 0 };
  for (let i = 0; i < instructionCount(rows); i++) {
    const ours = instructionAt(rows, i, 0);
    if (ours.kind !== Kind.memory) continue;
    decoder.position = ours.offset;
    decoder.ip = BigInt(ours.offset);
    const theirs = decoder.decode();
    const wanted = MemorySizeExt.size(theirs.memorySize);
    if (theirs.code !== 0 && wanted > 0) {
      count.all++;
      const found = operandSize(fn, ours);
      if (found !== null) {
        count.known++;
        const bytes = Buffer.from(code.subarray(ours.offset, ours.offset + ours.length)).toString('hex');
        assert.is(found, wanted, `${what} at ${ours.offset.toString(16)}: ${bytes}`);
      }
    }
    theirs.free();
  }
  decoder.free();
  return count;
}

for (const path of ['/bin/bash', '/lib/x86_64-linux-gnu/libm.so.6'])
  test(`agrees with iced-x86 over the text of ${path}`, () => {
    if (!existsSync(path)) {
      console.log(`  skipped: ${path} is not on this machine`);
      return;
    }
    const text = textOf(openElf(readFileSync(path), path, { symbols: 'optional' })).subarray(0, 1 << 20);
    const { known, all } = compare(text, path);
    console.log(`  ${path}: ${known} of ${all} operands known`);
    assert.ok(known / all > 0.95);
  });

test('agrees with iced-x86 on every opcode of the vector maps', () => {
  const operand = [0x05, 0, 0, 0, 0, 0];
  let known = 0;
  for (let opcode = 0; opcode < 256; opcode++) {
    for (const prefix of [[], [0x66], [0xf3], [0xf2]])
      for (const rex of [[], [0x48]])
        for (const map of [[0x0f], [0x0f, 0x38], [0x0f, 0x3a]])
          known += compare(Uint8Array.from([...prefix, ...rex, ...map, opcode, ...operand]), 'legacy').known;
    for (let implied = 0; implied < 8; implied++)
      for (const w of [0, 0x80])
        for (const map of [1, 2, 3])
          for (const v of [0x78, 0])
            known += compare(Uint8Array.from([0xc4, 0xe0 | map, w | v | implied, opcode, ...operand]), 'VEX').known;
  }
  console.log(`  ${known} encodings`);
  assert.ok(known > 2500);
});

test.run();
