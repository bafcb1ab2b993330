// SPDX-License-Identifier: MIT
/**
 * One sweep over two texts finds the functions that are certainly the same, which are nearly all.
 *
 * The old and the new function of a pair are walked in step: the old one is decoded, and the new one must have the same bytes but for
 * PC-relative fields. What such a pair of fields refers to is the same if it is the same place of the function itself, or if the place
 * tables give both targets one identity and one offset. All other references go into a queue, to be judged by content outside.
 * What does not walk in step is left to be looked at closely; nothing is ever called different here.
 *
 * On the way every target is marked in a map of bits, one per address: constants end where the next target begins.
 *
 * Addresses are below 2^31 here. A side's description in memory (SIDE_WORDS; core/sweep.ts writes it):
 *   0 code: where its bytes are, less the address of the first of them; may be negative
 *   4 lowest loaded address
 *   8 end of the loaded addresses
 *  12 map of targets: bit per address from the lowest
 *  16 number of places
 *  20 places by ascending start: start, end, identity, which is 0 for none, and a word that says nothing
 *  24 for each block of BLOCK addresses from the lowest the last place that starts at or before it, or 0
 */
import { field } from './batch';
import * as d from './decode';
import { differing, holdsAny, i32At, multiply, put8, put32, u32At } from './memory';
import { MEMORY_FIELD, SEGMENT, wordAt } from './quick';

const BLOCK_SHIFT: u32 = 6;
/** Words of instructions from here on have a long immediate or displacement. */
const LONG: u32 = 1 << 12;
const PLACE_BYTES: usize = 16;
const PLACE_SHIFT: usize = 4;
/** The place is code: only its start is the same as another's start without looking. */
const CODE_PLACE: u32 = 0x80000000;

/** Verdicts. */
const IN_STEP: u32 = 0;
const LOOK_CLOSELY: u32 = 1;
/** In step, and uses memory relative to fs or gs: the same only if both files lay out thread-local storage alike. */
const THREAD_LOCAL: u32 = 2;
/** In step, and holds a number that is an address where a program is not position-independent. */
const ABSOLUTE: u32 = 4;

/** Queue entries: old target, new target, pair << 2 | 0 for an address, 1 for a load of 16 bytes at most, 2 for a wider one. */
const ENTRY_BYTES: usize = 12;

/**
 * Walks `count` pairs (old address, old size, new address, new size) from the one with the number `first` on, writes a verdict byte for
 * each, and gives the number of entries in the queue. A function whose references have no room among `capacity` entries is left to be
 * looked at closely. `known`: room for KNOWN pairs of targets, all zero before the first pair.
 */
export function sweepPairs(
  old: usize,
  now: usize,
  pairs: usize,
  first: i32,
  count: i32,
  verdicts: usize,
  queue: usize,
  capacity: i32,
  known: usize,
): i32 {
  let to = queue;
  knownPairs = known;
  queueEnd = queue + <usize>capacity * ENTRY_BYTES;
  let pair = pairs + (<usize>first << 4);
  for (let i = first; i < first + count; i++) {
    const begin = to;
    const size = u32At(pair + 4);
    let verdict = LOOK_CLOSELY;
    if (size == u32At(pair + 12)) {
      to = walk(old, now, u32At(pair), u32At(pair + 8), size, <u32>i, to);
      verdict = walked;
    }
    if ((verdict & LOOK_CLOSELY) != 0) {
      to = begin;
      mark(old, u32At(pair), size);
      mark(now, u32At(pair + 8), u32At(pair + 12));
    }
    put8(verdicts + <usize>i, verdict);
    pair += 16;
  }
  return <i32>((to - queue) / ENTRY_BYTES);
}

/** Marks the targets of `count` functions (address, size) of one side. */
export function listTargets(side: usize, ranges: usize, count: i32): void {
  let range = ranges;
  for (let i: i32 = 0; i < count; i++) {
    mark(side, u32At(range), u32At(range + 4));
    range += 8;
  }
}

/** The verdict of the last walk. */
let walked: u32 = 0;
let queueEnd: usize = 0;

/** Pairs of targets that were the same lately, and are marked: most references are to what many refer to. By a hash of the old one. */
let knownPairs: usize = 0;
const KNOWN_BITS: u32 = 14;

/** Gives the queue's new end. */
function walk(old: usize, now: usize, a: u32, b: u32, size: u32, pair: u32, queue: usize): usize {
  const low = u32At(old + 4);
  const high = u32At(old + 8);
  const oldCode: usize = i32At(old) + <i32>a;
  const end: usize = oldCode + size;
  const ahead: i32 = i32At(now) + <i32>b - <i32>oldCode;
  let to = queue;
  let verdict = IN_STEP;
  let p = oldCode;
  while (p < end) {
    const word = wordAt(p, end);
    if (word == 0) {
      walked = LOOK_CLOSELY;
      return queue;
    }
    const length = word & 15;
    const fieldAt = (word >>> 4) & 15;
    const fieldSize = (word >>> 8) & 7;
    const differs = differing(p, <usize>(<i32>p + ahead)) & (((<u32>1) << length) - 1);
    if ((differs & ~((((<u32>1) << fieldSize) - 1) << fieldAt)) != 0) {
      walked = LOOK_CLOSELY;
      return queue;
    }
    if (fieldSize != 0) {
      const next: i32 = <i32>(p - oldCode) + <i32>length;
      const oldOffset: i32 = next + field(p + fieldAt, fieldSize);
      const newOffset: i32 = next + field(<usize>(<i32>p + ahead) + fieldAt, fieldSize);
      // a place of the function itself, most often
      if (oldOffset != newOffset || oldOffset < 0 || oldOffset >= <i32>size) {
        const target: u32 = <u32>(<i32>a + oldOffset);
        const other: u32 = <u32>(<i32>b + newOffset);
        const known: usize = knownPairs + <usize>((multiply(target, 0x9e3779b1) >>> (32 - KNOWN_BITS)) << 3);
        if (u32At(known) != target || u32At(known + 4) != other || target == 0) {
          markOne(old, target);
          markOne(now, other);
          if (same(old, now, target, other)) {
            put32(known, target);
            put32(known + 4, other);
          } else {
            if (to == queueEnd) {
              walked = LOOK_CLOSELY;
              return queue;
            }
            put32(to, target);
            put32(to + 4, other);
            put32(to + 8, (pair << 2) | ((word & MEMORY_FIELD) != 0 ? widthClass(p, end) : 0));
            to += ENTRY_BYTES;
          }
        }
      }
    } else if (word >= LONG) {
      const immediateAt = (word >>> 12) & 15;
      const displacementAt = (word >>> 16) & 15;
      if (immediateAt != 0 && isLoaded(u32At(p + immediateAt), low, high)) verdict |= ABSOLUTE;
      if (displacementAt != 0 && isLoaded(u32At(p + displacementAt), low, high)) verdict |= ABSOLUTE;
    }
    if ((word & SEGMENT) != 0) {
      const displacementAt = (word >>> 16) & 15;
      // what lies above the thread pointer, the stack protector's canary for one, is libc's
      if (displacementAt == 0 || i32At(p + displacementAt) < 0) verdict |= THREAD_LOCAL;
    }
    p += length;
  }
  walked = verdict;
  return to;
}

// @ts-ignore: decorator
@inline
function isLoaded(value: u32, low: u32, high: u32): bool {
  return value >= low && value < high;
}

/** Vector instructions with a VEX or EVEX prefix, and those of the x87, load more than sixteen bytes. */
function widthClass(at: usize, end: usize): u32 {
  d.decode(at, end);
  return d.opcode >= 0x1000 || (d.opcode >= 0xd8 && d.opcode <= 0xdf) || d.opcode == 0x1ae ? 2 : 1;
}

/**
 * Where in `size` bytes of code at `code`, which has the address `address`, four bytes would lead to `low` or up to `span` addresses
 * above it if they were the field of a PC-relative instruction that ends with them. Gives their number; addresses of the fields go to
 * `found`, at most `capacity`.
 */
export function findFields(
  code: usize,
  size: u32,
  address: u32,
  low: u32,
  span: u32,
  found: usize,
  capacity: i32,
): i32 {
  let count: i32 = 0;
  // what a field at offset 0 must hold to lead to `low`
  let wanted: i32 = <i32>low - <i32>address - 4;
  const end: usize = code + size;
  for (let p = code; p + 4 <= end; ) {
    if (!holdsAny(p, wanted, span)) {
      p += 16;
      wanted -= 16;
      continue;
    }
    const until: usize = p + 16 < end - 3 ? p + 16 : end - 3;
    for (; p < until; p++) {
    const beyond: i32 = i32At(p) - wanted;
    if (beyond >= 0 && beyond <= <i32>span) {
      if (count == capacity) return count;
      put32(found + (<usize>count << 2), address + <u32>(p - code));
      count++;
    }
    wanted--;
    }
  }
  return count;
}

/** Marks the targets of one function that lie outside of it, as far as it can be decoded. */
function mark(side: usize, address: u32, size: u32): void {
  const start: usize = i32At(side) + <i32>address;
  const end: usize = start + size;
  let p = start;
  while (p < end) {
    const word = wordAt(p, end);
    if (word == 0) return;
    const length = word & 15;
    const fieldSize = (word >>> 8) & 7;
    if (fieldSize != 0) {
      const offset: i32 = <i32>(p - start) + <i32>length + field(p + ((word >>> 4) & 15), fieldSize);
      if (offset < 0 || offset >= <i32>size) markOne(side, <u32>(<i32>address + offset));
    }
    p += length;
  }
}

// @ts-ignore: decorator
@inline
function markOne(side: usize, address: u32): void {
  const low = u32At(side + 4);
  if (address < low || address >= u32At(side + 8)) return;
  const bit = address - low;
  const at: usize = u32At(side + 12) + ((bit >>> 5) << 2);
  put32(at, u32At(at) | (1 << (bit & 31)));
}

/** Both targets lie in places of one identity, at one offset. */
// @ts-ignore: decorator
@inline
function same(old: usize, now: usize, a: u32, b: u32): bool {
  const identity = identityAt(old, a);
  if (identity == 0) return false;
  const offset = found;
  return identityAt(now, b) == identity && found == offset && (offset == 0 || (identity & CODE_PLACE) == 0);
}

/** Offset in the place that was found last. */
let found: u32 = 0;

function identityAt(side: usize, address: u32): u32 {
  const low = u32At(side + 4);
  if (address < low || address >= u32At(side + 8)) return 0;
  const places: usize = u32At(side + 20);
  const last: usize = places + ((<usize>u32At(side + 16) - 1) << PLACE_SHIFT);
  const index = u32At(u32At(side + 24) + (((address - low) >>> BLOCK_SHIFT) << 2));
  let place: usize = places + (<usize>index << PLACE_SHIFT);
  while (place < last && u32At(place + PLACE_BYTES) <= address) place += PLACE_BYTES;
  const start = u32At(place);
  if (address < start || address >= u32At(place + 4)) return 0;
  found = address - start;
  return u32At(place + 8);
}
