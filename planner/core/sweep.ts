// SPDX-License-Identifier: MIT
/**
 * The sweep over two whole texts, as a call: lays both out in a core's memory, in the workspace that the files are in if they are in one,
 * runs it once, gives what it found. The memory lives as long as somebody holds a part of the result, which is views of it, not copies.
 */
import { Workspace } from './workspace.js';

/** Words of a side's description, of a pair and of a queue entry; their layouts are written in assembly/sweep.ts. */
const SIDE_WORDS = 7;
const PLACE_WORDS = 4;
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
/** Pairs of one call: the code that the engine makes first is slow, and better code takes over with the next call. */
const AT_ONCE = 1024;
const FEW_ENTRIES = 2 ** 16;
/** Pairs of targets that the core remembers. */
const KNOWN = 2 ** 14;
const PAIR_OF_TARGETS = 8;
/** What lining up takes. */
const SPARE = 4096;

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
  space: Workspace,
  { address, bytes }: { readonly address: number; readonly bytes: Uint8Array },
  low: number,
  high: number,
): Uint32Array | null {
  const here = space.hasRoomFor(MOST_FIELDS * 4) && space.holds(bytes) ? space : Workspace.empty();
  const codeAt = here.addressOf(bytes);
  const foundAt = here.take(MOST_FIELDS * 4);
  const count = here.core.findFields(codeAt, bytes.length, address, low, high - low, foundAt, MOST_FIELDS);
  const found = here.words(foundAt, count).slice();
  here.words(foundAt, count).fill(0);
  here.giveBack(foundAt);
  return count === MOST_FIELDS ? null : found;
}

/** Whether a side's addresses fit the core. */
export const sweepable = ({ low, high }: Pick<SweepSide, 'low' | 'high'>): boolean =>
  low >= 0 && high <= LIMIT && high - low <= WIDEST;

export const mapStart = (low: number): number => low - (low % 32);

/** `pairs`: old address, old size, new address, new size. Both sides must be sweepable, and functions lie in their code. */
export function sweep(space: Workspace, old: SweepSide, now: SweepSide, pairs: Uint32Array): Swept {
  const count = pairs.length / PAIR_WORDS;
  const capacity = Math.min((codeBytes(old) >>> 3) + FEW_ENTRIES, MOST_ENTRIES);
  const need = [old, now].reduce((sum, side) => sum + roomFor(space, side), 0);
  const room = need + pairs.byteLength + count + capacity * ENTRY_WORDS * 4 + KNOWN * PAIR_OF_TARGETS + SPARE;
  const here = space.hasRoomFor(room) ? space : Workspace.empty();
  const [oldAt, newAt] = [placeSide(here, old), placeSide(here, now)];
  const pairsAt = here.take(pairs.byteLength);
  const verdictsAt = here.take(count);
  const queueAt = here.take(capacity * ENTRY_WORDS * 4);
  const knownAt = here.take(KNOWN * PAIR_OF_TARGETS);
  writeSide(here, old, oldAt);
  writeSide(here, now, newAt);
  here.words(pairsAt, pairs.length).set(pairs);
  const { core } = here;
  let entries = 0;
  for (let first = 0; first < count; first += AT_ONCE) {
    const some = Math.min(AT_ONCE, count - first);
    const [end, room] = [queueAt + entries * ENTRY_WORDS * 4, capacity - entries];
    entries += core.sweepPairs(oldAt.words, newAt.words, pairsAt, first, some, verdictsAt, end, room, knownAt);
  }
  for (const [{ single }, at] of [
    [old, oldAt],
    [now, newAt],
  ] as const)
    core.listTargets(at.words, at.single, single.length / 2);
  return {
    verdicts: new Uint8Array(here.buffer, verdictsAt, count),
    queue: here.words(queueAt, entries * ENTRY_WORDS),
    oldTargets: here.words(oldAt.map, mapWords(old)),
    newTargets: here.words(newAt.map, mapWords(now)),
  };
}

/** Targets of one side's functions alone, all of them given as `single`. */
export function listTargets(side: SweepSide): Uint32Array {
  const space = Workspace.empty();
  const at = placeSide(space, side);
  writeSide(space, side, at);
  space.core.listTargets(at.words, at.single, side.single.length / 2);
  return space.words(at.map, mapWords(side));
}

const codeBytes = ({ code }: SweepSide): number => code.reduce((sum, { bytes }) => sum + bytes.length, 0);

interface SideAt {
  readonly words: number;
  /** Where the byte with address 0 would be. */
  readonly code: number;
  /** The code is not there yet. */
  readonly copied: boolean;
  readonly map: number;
  readonly places: number;
  readonly blocks: number;
  readonly single: number;
}

const mapWords = ({ low, high }: SweepSide): number => Math.ceil((high - mapStart(low)) / 32);
const codeLow = ({ code }: SweepSide): number => code.reduce((low, { address }) => Math.min(low, address), LIMIT);
const codeHigh = ({ code }: SweepSide): number =>
  code.reduce((high, { address, bytes }) => Math.max(high, address + bytes.length), 0);

/** Where the code lies already if it does so as a whole: where the byte with address 0 would be. */
function codeBase(space: Workspace, { code }: SweepSide): number | null {
  const [first] = code;
  if (first === undefined) return null;
  const base = first.bytes.byteOffset - first.address;
  const fits = code.every(({ address, bytes }) => space.holds(bytes) && bytes.byteOffset - address === base);
  return fits ? base : null;
}

const roomFor = (space: Workspace, side: SweepSide): number =>
  SPARE +
  (codeBase(space, side) === null ? Math.max(0, codeHigh(side) - codeLow(side)) : 0) +
  mapWords(side) * 4 +
  side.places.starts.length * PLACE_WORDS * 4 +
  side.places.blocks.byteLength +
  side.single.byteLength;

function placeSide(space: Workspace, side: SweepSide): SideAt {
  const base = codeBase(space, side);
  const low = codeLow(side);
  return {
    words: space.take(SIDE_WORDS * 4),
    code: base ?? space.take(Math.max(0, codeHigh(side) - low)) - low,
    copied: base === null,
    map: space.take(mapWords(side) * 4),
    places: space.take(side.places.starts.length * PLACE_WORDS * 4),
    blocks: space.take(side.places.blocks.byteLength),
    single: space.take(side.single.byteLength),
  };
}

/** Once everything has its place, so that the memory does not move any more. */
function writeSide(space: Workspace, side: SweepSide, at: SideAt): void {
  const { places, low, high, code, single } = side;
  if (at.copied)
    for (const { address, bytes } of code) new Uint8Array(space.buffer, at.code + address, bytes.length).set(bytes);
  const { starts, ends, identities, blocks } = places;
  const rows = space.words(at.places, starts.length * PLACE_WORDS);
  for (let i = 0; i < starts.length; i++) {
    rows[i * PLACE_WORDS] = starts[i]!;
    rows[i * PLACE_WORDS + 1] = ends[i]!;
    rows[i * PLACE_WORDS + 2] = identities[i]!;
  }
  space.words(at.blocks, blocks.length).set(blocks);
  space.words(at.single, single.length).set(single);
  const words = [at.code, mapStart(low), high, at.map, starts.length, at.places, at.blocks];
  new Int32Array(space.buffer, at.words, SIDE_WORDS).set(words);
}
