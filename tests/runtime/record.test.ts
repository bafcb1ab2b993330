// SPDX-License-Identifier: MIT
/** The record: what is written is read, and what the target may have made up is not believed. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runAddress } from '../../planner/index.js';
import { decodeRecord, encodeRecord, MAX_RECORD, type PatchRecord, recordSize } from '../../runtime/record.js';

const ARENA = runAddress(0x5555_0000_0000);
const RECORD: PatchRecord = {
  name: 'fix-1',
  patchHash: '0123456789abcdef'.repeat(4),
  targetName: 'memcached',
  buildId: 'c0ffee',
  arena: ARENA,
  codeSize: 0x3000,
  dataSize: 0x1000,
  bias: 0x5554_0000_0000,
  code: { start: runAddress(ARENA + 0x1000), size: 0x200 },
  consistency: 'entry',
  functions: [
    {
      name: 'process_gêt',
      entry: runAddress(0x5554_0000_1000),
      size: 300,
      detour: runAddress(0x5554_0000_1004),
      detourBytes: Buffer.from('e9fbff0000', 'hex'),
      originalBytes: Buffer.from('5548894153', 'hex'),
      body: runAddress(ARENA + 0x1000),
      bodySize: 310,
      parts: [
        { start: runAddress(0x5554_0000_4000), size: 20 },
        { start: runAddress(0x5554_0000_5000), size: 0 },
      ],
    },
  ],
  jumps: [{ at: runAddress(0x7f00_0000_1004), bytes: Buffer.alloc(14, 0xff), original: Buffer.alloc(14, 0x90) }],
  symbols: [
    { name: 'process_gêt', start: ARENA + 0x1000, size: 310 },
    { name: 'helper', start: ARENA + 0x1140, size: 20 },
  ],
  frames: { start: runAddress(ARENA + 0x2000), size: 80 },
};

test('a record comes back as it was written', () => {
  assert.equal(decodeRecord(encodeRecord(RECORD), ARENA), RECORD);
  const frames = { start: ARENA, size: 0 };
  const strict = { ...RECORD, consistency: 'strict', functions: [], jumps: [], symbols: [], frames } as const;
  assert.equal(decodeRecord(encodeRecord(strict), ARENA), strict);
});

test('its size does not depend on addresses', () => {
  const moved = { ...RECORD, arena: runAddress(0), bias: 0, codeSize: 0 };
  assert.is(encodeRecord(moved).length, encodeRecord(RECORD).length);
});

test('its head tells its size', () => {
  const bytes = encodeRecord(RECORD);
  assert.is(recordSize(bytes.subarray(0, 16)), bytes.length);
});

test('every flipped bit is noticed', () => {
  const bytes = encodeRecord(RECORD);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const hostile = Buffer.from(bytes);
    hostile[bit >> 3]! ^= 1 << (bit & 7);
    assert.is(decodeRecord(hostile, ARENA), null, `bit ${bit}`);
  }
});

test('every truncation and any addition is noticed', () => {
  const bytes = encodeRecord(RECORD);
  for (let length = 0; length < bytes.length; length++)
    assert.is(decodeRecord(bytes.subarray(0, length), ARENA), null, `length ${length}`);
  assert.is(decodeRecord(Buffer.concat([bytes, Buffer.alloc(1)]), ARENA), null);
});

test('a size beyond the limit is not believed', () => {
  const bytes = encodeRecord(RECORD);
  bytes.writeUInt32LE(MAX_RECORD + 1, 12);
  assert.is(recordSize(bytes), null);
});

test('a record that says it stands elsewhere is a copy, and not believed', () => {
  assert.is(decodeRecord(encodeRecord(RECORD), runAddress(ARENA + 4096)), null);
});

test('well-formed lies are not believed: a body or code outside the arena, a name that is none, no whole pages', () => {
  assert.is(decodeRecord(encodeRecord({ ...RECORD, codeSize: 0x3001 }), ARENA), null);
  const body = { ...RECORD.functions[0]!, body: runAddress(ARENA + 0x3000) };
  assert.is(decodeRecord(encodeRecord({ ...RECORD, functions: [body] }), ARENA), null);
  const symbol = { name: 'far', start: ARENA + 0x2fff, size: 2 };
  assert.is(decodeRecord(encodeRecord({ ...RECORD, symbols: [symbol] }), ARENA), null);
  const frames = { start: runAddress(ARENA - 8), size: 16 };
  assert.is(decodeRecord(encodeRecord({ ...RECORD, frames }), ARENA), null);
  const code = { start: runAddress(ARENA + 0x2000), size: 0x1001 };
  assert.is(decodeRecord(encodeRecord({ ...RECORD, code }), ARENA), null);
  assert.is(decodeRecord(encodeRecord({ ...RECORD, name: '\u001b[2J' }), ARENA), null);
  assert.is(decodeRecord(encodeRecord({ ...RECORD, buildId: '../x' }), ARENA), null);
});

test.run();
