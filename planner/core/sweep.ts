// SPDX-License-Identifier: MIT
/**
 * The sweep over two whole texts, as a call: lays both out in a core's memory, runs it once, gives what it found. The memory lives as
 * long as somebody holds a part of the result, which is views of it, not copies.
 */
import { type Core, grow, instantiate } from './instance.js';

/** Words of a side's description, of a pair and of a queue entry; their layouts are written in assembly/sweep.ts. */
const SIDE_WORDS = 9;
const PAIR_WORDS = 4;
export const ENTRY_WORDS = 3;
/** Addresses per entry of Places.blocks. */
export const BLOCK = 64;
/** Addresses from here on are more than the core's words hold. */
const LIMIT = 2 ** 31;
/** Loaded addresses that are farther apart than this are no program, and their map would be too big. */
const WIDEST = 2 ** 30;

/** Memory that is not written to is not there. */
const MOST_ENTRIES = 2 ** 24;
const MOST_FIELDS = 2 ** 16;

export const Verdict = { lookClosely: 1, threadLocal: 2, absolute: 4 } as const;

export interface SweepSide {
  /** All code: address and bytes. */
  readonly code: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  /** The loaded addresses: first, and first behind. */
  readonly low: number;
  readonly high: number;
  /** What references may lead to, in order of address. Equal identities on both sides mean the same thing; 0 means none. Code has the
   * highest bit set: it is the same as other code only at its start, until somebody has looked at what is inside. */
  readonly places: Places;
  /** Address and size of each function that has no partner. */
  readonly single: Uint32Array;
}

export interface Places {
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly identities: Uint32Array;
  /** For each BLOCK addresses from `low` the last place that starts at or before the first of them, or 0. */
  readonly blocks: Uint32Array;
  readonly low: number;
}

export interface Swept {
  /** Verdict bits for each pair. */
  readonly verdicts: Uint8Array;
  /** Old target, new target, pair << 2 | width class, over and over: references that content must tell. */
  readonly queue: Uint32Array;
  /** Bit per address from `low`, rounded down to a multiple of 32: what is referred to from outside of itself. */
  readonly oldTargets: Uint32Array;
  readonly newTargets: Uint32Array;
}

/**
 * Addresses in one section of code where four bytes would lead to between `low` and `high` if they were a PC-relative field at the end
 * of an instruction. Null if there are too many to be of use.
 */
export function findFields(
  { address, bytes }: { readonly address: number; readonly bytes: Uint8Array },
  low: number,
  high: number,
): Uint32Array | null {
  const core = instantiate();
  const memory = new Layout(core.freeMemory());
  const codeAt = memory.take(bytes.length);
  const foundAt = memory.take(MOST_FIELDS * 4);
  grow(core, memory.end);
  new Uint8Array(core.memory.buffer, codeAt, bytes.length).set(bytes);
  const count = core.findFields(codeAt, bytes.length, address, low, high - low, foundAt, MOST_FIELDS);
  return count === MOST_FIELDS ? null : new Uint32Array(core.memory.buffer, foundAt, count);
}

/** Whether a side's addresses fit the core. */
export const sweepable = ({ low, high }: Pick<SweepSide, 'low' | 'high'>): boolean =>
  low >= 0 && high <= LIMIT && high - low <= WIDEST;

export const mapStart = (low: number): number => low - (low % 32);

/** `pairs`: old address, old size, new address, new size. Both sides must be sweepable, and functions lie in their code. */
export function sweep(old: SweepSide, now: SweepSide, pairs: Uint32Array): Swept {
  const core = instantiate();
  const memory = new Layout(core.freeMemory());
  const count = pairs.length / PAIR_WORDS;
  const sides = [old, now].map((side) => ({ side, at: placeSide(memory, side) })) as [Placed, Placed];
  const pairsAt = memory.take(pairs.byteLength);
  const verdictsAt = memory.take(count);
  const singleAt = sides.map(({ side }) => memory.take(side.single.byteLength));
  const capacity = Math.min(codeBytes(old), MOST_ENTRIES);
  const queueAt = memory.take(capacity * ENTRY_WORDS * 4);
  grow(core, memory.end + 64);

  const { buffer } = core.memory;
  for (const { side, at } of sides) writeSide(buffer, side, at);
  new Uint32Array(buffer, pairsAt, pairs.length).set(pairs);
  const entries = core.sweepPairs(sides[0].at.words, sides[1].at.words, pairsAt, count, verdictsAt, queueAt, capacity);
  sides.forEach(({ side, at }, i) => {
    new Uint32Array(buffer, singleAt[i]!, side.single.length).set(side.single);
    core.listTargets(at.words, singleAt[i]!, side.single.length / 2);
  });
  const targets = ({ side, at }: Placed) => new Uint32Array(buffer, at.map, mapWords(side));
  return {
    verdicts: new Uint8Array(buffer, verdictsAt, count),
    queue: new Uint32Array(buffer, queueAt, entries * ENTRY_WORDS),
    oldTargets: targets(sides[0]),
    newTargets: targets(sides[1]),
  };
}

/** Targets of one side's functions alone, all of them given as `single`. */
export function listTargets(side: SweepSide): Uint32Array {
  const core: Core = instantiate();
  const memory = new Layout(core.freeMemory());
  const at = placeSide(memory, side);
  const singleAt = memory.take(side.single.byteLength);
  grow(core, memory.end + 64);
  const { buffer } = core.memory;
  writeSide(buffer, side, at);
  new Uint32Array(buffer, singleAt, side.single.length).set(side.single);
  core.listTargets(at.words, singleAt, side.single.length / 2);
  return new Uint32Array(buffer, at.map, mapWords(side));
}

const codeBytes = ({ code }: SweepSide): number => code.reduce((sum, { bytes }) => sum + bytes.length, 0);

/** Hands out memory from low to high. */
class Layout {
  end: number;

  constructor(start: number) {
    this.end = start;
  }

  take(bytes: number): number {
    const at = Math.ceil(this.end / 16) * 16;
    this.end = at + bytes;
    return at;
  }
}

interface SideAt {
  readonly words: number;
  readonly code: number;
  readonly map: number;
  readonly starts: number;
  readonly ends: number;
  readonly identities: number;
  readonly blocks: number;
}

interface Placed {
  readonly side: SweepSide;
  readonly at: SideAt;
}

const mapWords = ({ low, high }: SweepSide): number => Math.ceil((high - mapStart(low)) / 32);
const codeLow = ({ code }: SweepSide): number => code.reduce((low, { address }) => Math.min(low, address), LIMIT);
const codeHigh = ({ code }: SweepSide): number =>
  code.reduce((high, { address, bytes }) => Math.max(high, address + bytes.length), 0);

function placeSide(memory: Layout, side: SweepSide): SideAt {
  const { starts } = side.places;
  return {
    words: memory.take(SIDE_WORDS * 4),
    code: memory.take(Math.max(0, codeHigh(side) - codeLow(side))),
    map: memory.take(mapWords(side) * 4),
    starts: memory.take(starts.byteLength),
    ends: memory.take(starts.byteLength),
    identities: memory.take(starts.byteLength),
    blocks: memory.take(side.places.blocks.byteLength),
  };
}

function writeSide(buffer: ArrayBuffer, side: SweepSide, at: SideAt): void {
  const { places, low, high } = side;
  const base = codeLow(side);
  for (const { address, bytes } of side.code) new Uint8Array(buffer, at.code + address - base, bytes.length).set(bytes);
  const count = places.starts.length;
  new Uint32Array(buffer, at.starts, count).set(places.starts);
  new Uint32Array(buffer, at.ends, count).set(places.ends);
  new Uint32Array(buffer, at.identities, count).set(places.identities);
  new Uint32Array(buffer, at.blocks, places.blocks.length).set(places.blocks);
  new Int32Array(buffer, at.words, SIDE_WORDS).set([
    at.code - base,
    mapStart(low),
    high,
    at.map,
    count,
    at.starts,
    at.ends,
    at.identities,
    at.blocks,
  ]);
}
