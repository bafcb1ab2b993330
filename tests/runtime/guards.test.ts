// SPDX-License-Identifier: MIT
/** Guards and detours on values: which ranges hold a thread up, what they are called, and what is written. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runAddress } from '../../planner/index.js';
import { detourBytes } from '../../runtime/detour.js';
import { guardRanges, placeOf } from '../../runtime/guards.js';
import type { RecordedFunction } from '../../runtime/record.js';
import { GUARD_BODY, GUARD_CHANGED } from '../../runtime/sys/abi.js';
import { threadLine } from '../../runtime/wording.js';

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

test('the changed bytes are guarded always, bodies and their cold parts as bodies', () => {
  assert.equal(guardRanges({ functions: [FUNCTION], jumps: [] }), [
    { start: 0x1004, end: 0x1009, kind: GUARD_CHANGED },
    { start: 0x1000, end: 0x1040, kind: GUARD_BODY },
    { start: 0x2000, end: 0x2010, kind: GUARD_BODY },
  ]);
});

test('where an unwinder is led through the arena, the bytes of the jump are guarded', () => {
  const jump = { at: runAddress(0x7000), bytes: Buffer.alloc(14), original: Buffer.alloc(14) };
  assert.equal(guardRanges({ functions: [], jumps: [jump] }), [{ start: 0x7000, end: 0x700e, kind: GUARD_CHANGED }]);
});

test('more ranges than the kernel takes are refused before it is asked', () => {
  const many = new Array(1366).fill(FUNCTION);
  assert.is(guardRanges({ functions: many.slice(1), jumps: [] }).length, 4095);
  assert.throws(() => guardRanges({ functions: many, jumps: [] }), /needs 4098 guarded ranges, the kernel takes 4096/);
});

test('an address has the name of the function that it lies in', () => {
  assert.equal(placeOf([FUNCTION], 0x1000), { function: 'serve', offset: 0 });
  assert.equal(placeOf([FUNCTION], 0x103f), { function: 'serve', offset: 0x3f });
  assert.equal(placeOf([FUNCTION], 0x2008), { function: 'serve (cold part)', offset: 8 });
  assert.is(placeOf([FUNCTION], 0x1040), null);
  assert.is(placeOf([FUNCTION], 0x9000), null);
});

test('of a function smaller than its detour, the bytes behind it belong to it', () => {
  assert.equal(placeOf([{ ...FUNCTION, size: 2, parts: [] }], 0x1008), { function: 'serve', offset: 8 });
});

test('a pending thread is described by its name, and by function and offset', () => {
  const thread = {
    tid: 7,
    name: 'worker',
    why: 'stack',
    where: 0x1020,
    place: { function: 'serve', offset: 0x20 },
  } as const;
  assert.is(threadLine(thread), 'thread 7 (worker) has on its stack serve+0x20');
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
