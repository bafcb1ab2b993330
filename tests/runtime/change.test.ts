// SPDX-License-Identifier: MIT
/** Patches over patches, on texts made of values: which lies where, what a change writes, and whom it keeps waiting. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runAddress } from '../../planner/index.js';
import { planChange, type Wanted } from '../../runtime/change.js';
import { detourBytes } from '../../runtime/detour.js';
import { parseMaps } from '../../runtime/proc/maps.js';
import { encodeRecord, type PatchRecord, type RecordedFunction } from '../../runtime/record.js';
import { Layered } from '../../runtime/records.js';
import { GUARD_BODY, GUARD_CHANGED } from '../../runtime/sys/abi.js';

const F = 0x1000;
const G = 0x2000;
const ORIGINAL: Readonly<Record<number, Buffer>> = {
  [F]: Buffer.from('5548894153', 'hex'),
  [G]: Buffer.from('4154534889', 'hex'),
};
const ARENAS = { a: 0x100000, b: 0x200000 };
const MAPS = parseMaps(
  Object.values(ARENAS)
    .map((at) => `${at.toString(16)}-${(at + 0x3000).toString(16)} r-xp 00000000 00:00 0 \n`)
    .join(''),
);

const nothing = { jumps: [], symbols: [], frames: { start: runAddress(0), size: 0 } };

/** A patch of these functions, over what `below` has there. */
function patch(name: 'a' | 'b', entries: readonly number[], below?: PatchRecord): PatchRecord {
  const arena = runAddress(ARENAS[name]);
  const functions = entries.map((entry, i): RecordedFunction => {
    const body = runAddress(arena + 0x1000 + i * 0x100);
    return {
      name: `f${entry.toString(16)}`,
      entry: runAddress(entry),
      size: 0x40,
      detour: runAddress(entry),
      detourBytes: detourBytes(runAddress(entry), body, 'f'),
      originalBytes: below?.functions.find((one) => one.entry === entry)?.detourBytes ?? ORIGINAL[entry]!,
      body,
      bodySize: 0x80,
      parts: [{ start: runAddress(entry + 0x800), size: 0x10 }],
    };
  });
  const code = { start: runAddress(arena + 0x1000), size: 0x300 };
  const what = { name, patchHash: 'ab'.repeat(32), targetName: 't', buildId: 'c0ffee', bias: 0, dataSize: 0 };
  return { ...what, arena, codeSize: 0x3000, code, consistency: 'strict', functions, ...nothing };
}

/** A text in which the arenas of `records` are, and `effective` are in effect, the last one on top. */
function text(
  records: readonly PatchRecord[],
  effective: readonly PatchRecord[],
  more: readonly (readonly [number, Buffer])[] = [],
): Layered {
  const pieces = new Map<number, Buffer>([...more, ...records.map((one) => [one.arena, encodeRecord(one)] as const)]);
  for (const [entry, bytes] of Object.entries(ORIGINAL)) pieces.set(Number(entry), bytes);
  for (const { functions } of effective)
    for (const one of functions) pieces.set(one.detour, Buffer.from(one.detourBytes));
  const read = (address: number, length: number) => pieces.get(address)?.subarray(0, length) ?? null;
  return new Layered(read, MAPS);
}

const standing = (base: Layered, newest = base) => ({ newest, all: () => (base === newest ? [base] : [base, newest]) });

const over = (record: PatchRecord, text: Layered): Wanted[] =>
  record.functions.map((one) => ({
    function: one,
    bytes: one.detourBytes,
    layers: [{ record, function: one }, ...(text.entryAt(one.detour)?.layers ?? [])],
  }));

const without = (record: PatchRecord, text: Layered): Wanted[] =>
  record.functions.map((one) => ({
    function: one,
    bytes: one.originalBytes,
    layers: text.entryAt(one.detour)!.layers.slice(1),
  }));

const changed = (entry: number) => ({ start: entry, end: entry + 5, kind: GUARD_CHANGED });
const body = (start: number, size: number) => ({ start, end: start + size, kind: GUARD_BODY });
const oldBody = (entry: number) => [body(entry, 0x40), body(entry + 0x800, 0x10)];
const allCode = (name: 'a' | 'b') => body(ARENAS[name] + 0x1000, 0x300);

const a = patch('a', [F]);
const b = patch('b', [F, G], a);

test('layers are found from what stands at the entry, and the bytes of the old file below them', () => {
  const both = text([a, b], [a, b]);
  const entry = both.entryAt(runAddress(F))!;
  assert.equal(
    entry.layers.map(({ record }) => record.name),
    ['b', 'a'],
  );
  assert.equal(Buffer.from(entry.bottom), ORIGINAL[F]);
  assert.equal([both.stands(a.arena), both.stands(b.arena)], [true, true]);
  assert.equal(
    both.over(a.arena).map(({ name }) => name),
    ['b'],
  );
  assert.equal(both.over(b.arena), []);
});

test('a patch with one of its detours missing does not stand', () => {
  const half = text([b], [{ ...b, functions: b.functions.slice(1) }]);
  assert.is(half.stands(b.arena), false);
});

test('records that lead in a circle end the search', () => {
  const one = patch('a', [F]);
  const two = patch('b', [F], one);
  const circular = { ...one, functions: [{ ...one.functions[0]!, originalBytes: two.functions[0]!.detourBytes }] };
  const entry = text([circular, two], [circular]).entryAt(runAddress(F))!;
  assert.is(entry.layers.length, 2);
});

test('a first patch guards the bytes of its detours, and the old functions with their parts', () => {
  const change = planChange(standing(text([], [])), over(a, text([], [])));
  assert.equal(change.writes, [{ address: F, bytes: a.functions[0]!.detourBytes }]);
  assert.equal(change.guards, [changed(F), ...oldBody(F)]);
});

test('a patch over another one guards the other one as well, helpers of its own included', () => {
  const now = text([a], [a]);
  const change = planChange(standing(now), over(b, now));
  assert.equal(
    change.writes.map(({ address }) => address),
    [F, G],
  );
  assert.equal(change.guards, [changed(F), ...oldBody(F), allCode('a'), changed(G), ...oldBody(G)]);
});

test('back to the patch below, only the upper one is guarded', () => {
  const now = text([a, b], [a, b]);
  const change = planChange(standing(now), without(b, now));
  assert.equal(
    change.writes.map(({ bytes }) => Buffer.from(bytes)),
    [Buffer.from(a.functions[0]!.detourBytes), ORIGINAL[G]],
  );
  assert.equal(change.guards, [changed(F), allCode('b'), changed(G)]);
});

test('to revert a pending patch, who has not left the old function yet may stay in it', () => {
  const [base, newest] = [text([a], []), text([a], [a])];
  const change = planChange(standing(base, newest), without(a, newest));
  // written although the base has it: a fold in between must not bring the detour back
  assert.equal(change.writes, [{ address: F, bytes: ORIGINAL[F] }]);
  assert.equal(change.guards, [changed(F), allCode('a')]);
});

test('beside a pending patch another one carries that one on', () => {
  const [base, newest] = [text([a], []), text([a], [a])];
  const other = patch('b', [G]);
  const change = planChange(standing(base, newest), over(other, newest));
  assert.equal(change.writes.map(({ address }) => address).sort(), [F, G]);
  assert.equal(change.guards, [changed(F), ...oldBody(F), changed(G), ...oldBody(G)]);
});

test('what leads unwinders to new code is guarded where it is written, and stays when the patch is taken back', () => {
  const jump = { at: runAddress(0x7000), bytes: Buffer.alloc(14, 1), original: Buffer.alloc(14, 2) };
  const first = planChange(standing(text([], [])), over(a, text([], [])), [jump]);
  assert.equal(first.writes.at(-1), { address: 0x7000, bytes: jump.bytes });
  assert.equal(first.guards.at(-1), { start: 0x7000, end: 0x700e, kind: GUARD_CHANGED });

  const thrower = { ...a, jumps: [jump] };
  const piece: [number, Buffer] = [0x7000, jump.bytes];
  const [base, newest] = [text([thrower], [], [[0x7000, jump.original]]), text([thrower], [thrower], [piece])];
  const back = planChange(standing(base, newest), without(thrower, newest));
  assert.equal(
    back.writes.map(({ address, bytes }) => [address, Buffer.from(bytes)]),
    [[F, ORIGINAL[F]], piece],
  );
});

test('a patch beside one that is settled leaves that one alone', () => {
  const now = text([a], [a]);
  const change = planChange(standing(now), over(patch('b', [G]), now));
  assert.equal(
    change.writes.map(({ address }) => address),
    [G],
  );
});

test.run();
