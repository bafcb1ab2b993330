// SPDX-License-Identifier: MIT
/**
 * From the texts that threads run now to the text that they shall all run: what to write, and what to guard.
 *
 * It is written from the base, and says in full what shall stand over each function whose texts differ: a fold that comes
 * in between changes nothing about it.
 *
 * CHANGED guards the bytes of each detour that is written. BODY guards, for strict consistency, the code whose place the
 * new text takes:
 *
 *     forwards, to a patch over what a text has      the old function, and the bodies of all patches over it there
 *     backwards, to what a text has below            the bodies of the patches that are taken away, and no others: who
 *                                                    is in what stays, or comes back, is where it will be
 *
 * Of a patch none of whose functions is on top any more, all code is guarded, helpers of its own included.
 */
import type { RunAddress } from '../planner/index.js';
import type { Carried } from './carried.js';
import { type GuardRange, limited } from './guards.js';
import { DETOUR_SIZE, encodeRecord, type RecordedFunction } from './record.js';
import type { Entry, Layer } from './records.js';
import { GUARD_BODY, GUARD_CHANGED } from './sys/abi.js';
import type { Jump } from './unwind/unwinders.js';

/** What shall stand over a function: layers, the topmost first, and the bytes of that one. */
export interface Wanted {
  readonly function: RecordedFunction;
  readonly bytes: Uint8Array;
  readonly layers: readonly Layer[];
}

/** The texts that threads run, and the newest among them. */
export type Standing = Pick<Carried, 'all' | 'newest'>;

export interface Change {
  readonly writes: readonly { readonly address: RunAddress; readonly bytes: Uint8Array }[];
  readonly guards: readonly GuardRange[];
}

/** What is not in `wanted` and `jumps` stays as it is in the newest text. */
export function planChange(standing: Standing, wanted: readonly Wanted[], jumps: readonly Jump[] = []): Change {
  const goals = goalsOf(standing, wanted);
  const onTop = new Set(goals.map(({ layers }) => layers[0]?.record.arena));
  const writes: Change['writes'][number][] = [];
  const guards: GuardRange[] = [];
  for (const goal of goals) {
    const others = standing.all().flatMap((text) => {
      const entry = text.entryAt(goal.function.detour);
      return entry && Buffer.compare(entry.bytes, goal.bytes) !== 0 ? [entry] : [];
    });
    if (others.length === 0) continue;
    const { detour } = goal.function;
    writes.push({ address: detour, bytes: goal.bytes });
    guards.push({ start: detour, end: detour + DETOUR_SIZE, kind: GUARD_CHANGED });
    for (const other of others) guards.push(...left(other, goal, onTop));
  }
  for (const { at, bytes } of jumpsAfter(standing, jumps)) {
    if (standing.all().every((text) => text.read(at, bytes.length)?.equals(bytes))) continue;
    writes.push({ address: at, bytes });
    guards.push({ start: at, end: at + bytes.length, kind: GUARD_CHANGED });
  }
  return { writes: [...writes, ...unsettledRecords(standing)], guards: limited(withoutRepeats(guards)) };
}

/** What leads unwinders to new code stays for good: an exception may pass through it after it has been reverted. */
function jumpsAfter(standing: Standing, jumps: readonly Jump[]): Jump[] {
  const after = new Map<number, Jump>();
  for (const { records } of standing.all())
    for (const { at, bytes } of records.flatMap((record) => record.jumps)) {
      const found = standing.newest.read(at, bytes.length);
      if (found) after.set(at, { at, bytes: found });
    }
  for (const jump of jumps) after.set(jump.at, jump);
  return [...after.values()];
}

function goalsOf(standing: Standing, wanted: readonly Wanted[]): Wanted[] {
  const goals = new Map<number, Wanted>();
  for (const { records } of standing.all())
    for (const one of records.flatMap(({ functions }) => functions)) {
      const entry = standing.newest.entryAt(one.detour);
      if (entry) goals.set(one.detour, { function: one, bytes: entry.bytes, layers: entry.layers });
    }
  for (const goal of wanted) goals.set(goal.function.detour, goal);
  return [...goals.values()];
}

/** The code that a thread must not be in when it goes from what `from` says to the goal. */
function left(from: Entry, goal: Wanted, onTop: ReadonlySet<number | undefined>): GuardRange[] {
  const top = goal.layers[0];
  const below = top ? from.layers.findIndex(({ record }) => record.arena === top.record.arena) : from.layers.length;
  const old = below < 0 ? oldRanges(goal.function) : [];
  const taken = below < 0 ? from.layers : from.layers.slice(0, below);
  const bodies = taken.map(({ record, function: { body, bodySize } }) =>
    onTop.has(record.arena) ? range(body, bodySize) : range(record.code.start, record.code.size),
  );
  return [...old, ...bodies];
}

const oldRanges = ({ entry, size, parts }: RecordedFunction): GuardRange[] =>
  [{ start: entry, size }, ...parts].filter((one) => one.size > 0).map((one) => range(one.start, one.size));

const range = (start: number, size: number): GuardRange => ({ start, end: start + size, kind: GUARD_BODY });

const withoutRepeats = (guards: readonly GuardRange[]): GuardRange[] => [
  ...new Map(guards.map((guard) => [`${guard.start} ${guard.end} ${guard.kind}`, guard])).values(),
];

/** Records that a transition under way changes as well. */
function unsettledRecords(standing: Standing): Change['writes'] {
  const texts = standing.all();
  if (texts.length === 1) return [];
  return standing.newest.records.flatMap((record) => {
    const bytes = encodeRecord(record);
    const same = texts.every(({ records }) => {
      const other = records.find(({ arena }) => arena === record.arena);
      return other && encodeRecord(other).equals(bytes);
    });
    return same ? [] : [{ address: record.arena, bytes }];
  });
}
