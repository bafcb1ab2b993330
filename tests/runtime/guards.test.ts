// SPDX-License-Identifier: MIT
/** Guards and detours on values: which ranges hold a thread up, what they are called, and what is written. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runAddress } from '../../planner/index.js';
import { detourBytes } from '../../runtime/detour.js';
import { limited } from '../../runtime/guards.js';
import { placeIn } from '../../runtime/names.js';
import type { PatchRecord, RecordedFunction } from '../../runtime/record.js';
import { GUARD_BODY } from '../../runtime/sys/abi.js';
import { threadLine } from '../../runtime/thread-line.js';

const BYTES = Buffer.alloc(5);
const FUNCTION: RecordedFunction = {
  name: 'serve',
  entry: runAddress(0x1000),
  size: 0x40,
  detour: runAddress(0x1004),
  detourBytes: BYTES,
  originalBytes: BYTES,
  body: runAddress(0x9000),
  bodySize: 0x50,
  parts: [{ start: runAddress(0x2000), size: 0x10 }],
};

test('more ranges than the kernel takes are refused before it is asked', () => {
  const many = new Array(4097).fill({ start: 1, end: 2, kind: GUARD_BODY });
  assert.is(limited(many.slice(1)).length, 4096);
  assert.throws(() => limited(many), /needs 4097 guarded ranges, the kernel takes 4096/);
});

const record = (one: RecordedFunction): PatchRecord => ({
  name: 'fix',
  patchHash: 'ab'.repeat(32),
  targetName: 't',
  buildId: 'c0ffee',
  arena: runAddress(0x8000),
  codeSize: 0x3000,
  dataSize: 0,
  bias: 0,
  code: { start: runAddress(0x9000), size: 0x200 },
  consistency: 'strict',
  functions: [one],
  jumps: [],
  symbols: [{ name: 'helper', start: 0x9100, size: 0x40 }],
  frames: { start: runAddress(0), size: 0 },
});

test('an address has the name of the function that it lies in, and of the patch whose code it is', () => {
  const at = (address: number) => placeIn(record(FUNCTION), address);
  assert.equal(at(0x1000), { function: 'serve', offset: 0, patch: null });
  assert.equal(at(0x103f), { function: 'serve', offset: 0x3f, patch: null });
  assert.equal(at(0x2008), { function: 'serve (cold part)', offset: 8, patch: null });
  assert.is(at(0x1040), null);
  assert.equal(at(0x9002), { function: 'serve', offset: 2, patch: 'fix' });
  assert.equal(at(0x9108), { function: 'helper', offset: 8, patch: 'fix' });
  assert.is(at(0x9140), null);
});

test('of a function smaller than its detour, the bytes behind it belong to it', () => {
  const small = record({ ...FUNCTION, size: 2, parts: [] });
  assert.equal(placeIn(small, 0x1008), { function: 'serve', offset: 8, patch: null });
});

test('a pending thread is described by its name, by function and offset, and by who has called it', () => {
  const thread = {
    tid: 7,
    name: 'worker',
    why: 'stack',
    where: 0x1020,
    place: { function: 'serve', offset: 0x20, patch: null },
    caller: { function: 'loop', offset: 0x11, patch: 'fix' },
  } as const;
  assert.is(threadLine(thread), 'thread 7 (worker) is in serve+0x20, called from loop+0x11 of fix');
  assert.is(threadLine({ ...thread, caller: null }), 'thread 7 (worker) is in serve+0x20');
  assert.is(threadLine({ ...thread, why: 'pc', place: null }), 'thread 7 (worker) runs 0x1020');
  assert.match(threadLine({ ...thread, why: 'signal-stack', where: null, place: null }), /runs on a signal stack$/);
});

test('a detour is a jump to the new body, forwards and backwards, up to its reach', () => {
  const at = runAddress(0x2_0000_0000);
  const reach = (distance: number) => runAddress(at + 5 + distance);
  assert.is(detourBytes(at, reach(0x10), 'f').toString('hex'), 'e910000000');
  assert.is(detourBytes(at, reach(-5), 'f').toString('hex'), 'e9fbffffff');
  assert.is(detourBytes(at, reach(2 ** 31 - 1), 'f').toString('hex'), 'e9ffffff7f');
  assert.throws(() => detourBytes(at, reach(2 ** 31), 'f'), /detour against f at 0x200000000: .* does not fit 32 bits/);
  assert.throws(() => detourBytes(at, reach(-(2 ** 31) - 1), 'f'), /does not fit 32 bits/);
});

test.run();
