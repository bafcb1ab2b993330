// SPDX-License-Identifier: MIT
/**
 * Names as numbers: a hash table over the texts where they lie. Equal texts get one number, counting up in the order in which they are met.
 *
 * The table's description in memory (NAME_WORDS; core/names.ts writes it):
 *   0 slots: number + 1, or 0 for a free one; open addressing
 *   4 number of slots less one, which is all ones
 *   8 rows by number: hash, address of the text, its length, its signs (match/pair.ts knows what they are of)
 *  12 how many numbers there are
 */
import { differing, multiply, put32, u8At, u32At } from './memory';

const ROW_BYTES: usize = 16;
const START: u32 = 0x811c9dc5;
const PRIME: u32 = 0x9e3779b1;
const NONE: u32 = 0xffffffff;
const DOT: u32 = 1;
const CLOSURE: u32 = 2;

/**
 * In `words` the offset of each name in the texts becomes its number; `size` bytes of text at `texts`, and a zero behind the last.
 *
 * Another build of a program names the same things in the same order: the number behind the last one is tried first.
 */
export function numberNames(table: usize, texts: usize, size: u32, words: usize, count: i32): void {
  let number: u32 = 0;
  for (let i: i32 = 0; i < count; i++) {
    const at: usize = words + (<usize>i << 2);
    const offset = u32At(at);
    const room: u32 = offset < size ? size - offset : 0;
    number = isNumber(table, number + 1, texts + offset, room)
      ? number + 1
      : numberOf(table, texts + offset, room, true);
    put32(at, number);
  }
}

/** Whether the text at `text`, which ends within `size` bytes or with them, has that number. */
function isNumber(table: usize, number: u32, text: usize, size: u32): bool {
  if (number >= u32At(table + 12)) return false;
  const row: usize = u32At(table + 8) + <usize>number * ROW_BYTES;
  const length = u32At(row + 8);
  if (length > size || (length < size && u8At(text + length) != 0)) return false;
  return sameText(u32At(row + 4), text, length);
}

/** The number of the text at `text`, at most `size` bytes; 0xffffffff if it has none. */
export function findName(table: usize, text: usize, size: u32): u32 {
  return numberOf(table, text, size, false);
}

/** Enters the numbers into new slots. */
export function spreadNames(table: usize): void {
  const count = u32At(table + 12);
  const rows: usize = u32At(table + 8);
  for (let number: u32 = 0; number < count; number++) {
    let slot = slotAt(table, u32At(rows + <usize>number * ROW_BYTES));
    while (u32At(slot) != 0) slot = following(table, slot);
    put32(slot, number + 1);
  }
}

function numberOf(table: usize, text: usize, size: u32, isNew: bool): u32 {
  let hash = START;
  let length: u32 = 0;
  // four bytes at once, until one of them is the end
  for (; length + 4 <= size; length += 4) {
    const word = u32At(text + length);
    if (hasZero(word)) break;
    hash = mixed(hash, word);
  }
  for (; length < size; length++) {
    const byte = u8At(text + length);
    if (byte == 0) break;
    hash = mixed(hash, byte);
  }
  const rows: usize = u32At(table + 8);
  let slot = slotAt(table, hash);
  for (let known = u32At(slot); known != 0; known = u32At(slot)) {
    const row: usize = rows + <usize>(known - 1) * ROW_BYTES;
    if (u32At(row) == hash && u32At(row + 8) == length && sameText(u32At(row + 4), text, length)) return known - 1;
    slot = following(table, slot);
  }
  if (!isNew) return NONE;
  const number = u32At(table + 12);
  const row: usize = rows + <usize>number * ROW_BYTES;
  put32(row, hash);
  put32(row + 4, <u32>text);
  put32(row + 8, length);
  put32(row + 12, signsIn(text, length));
  put32(slot, number + 1);
  put32(table + 12, number + 1);
  return number;
}

/** The signs in a text that the compiler may have numbered it: DOT, CLOSURE. */
function signsIn(text: usize, length: u32): u32 {
  let signs: u32 = 0;
  let i: u32 = 0;
  for (; i + 4 <= length; i += 4) {
    const word = u32At(text + i);
    if (hasZero(word ^ 0x2e2e2e2e)) signs |= DOT;
    if (hasZero(word ^ 0x55555555) || hasZero(word ^ 0x24242424)) signs |= closures(text + i, 4, length - i);
  }
  for (; i < length; i++) {
    if (u8At(text + i) == 0x2e) signs |= DOT;
    signs |= closures(text + i, 1, length - i);
  }
  return signs;
}

/** CLOSURE if its sign, `Ul` or `$_`, begins in the first `count` of `left` bytes. */
function closures(text: usize, count: u32, left: u32): u32 {
  for (let i: u32 = 0; i < count && i + 1 < left; i++) {
    const byte = u8At(text + i);
    const next = u8At(text + i + 1);
    if ((byte == 0x55 && next == 0x6c) || (byte == 0x24 && next == 0x5f)) return CLOSURE;
  }
  return 0;
}

// @ts-ignore: decorator
@inline
function hasZero(word: u32): bool {
  return ((word - 0x01010101) & ~word & 0x80808080) != 0;
}

// @ts-ignore: decorator
@inline
function mixed(hash: u32, value: u32): u32 {
  const x = multiply(hash ^ value, PRIME);
  return (x ^ (x >>> 15)) >>> 0;
}

// @ts-ignore: decorator
@inline
function slotAt(table: usize, hash: u32): usize {
  return u32At(table) + ((hash & u32At(table + 4)) << 2);
}

// @ts-ignore: decorator
@inline
function following(table: usize, slot: usize): usize {
  const slots: usize = u32At(table);
  return slots + ((((<u32>(slot - slots) >>> 2) + 1) & u32At(table + 4)) << 2);
}

function sameText(a: usize, b: usize, length: u32): bool {
  let i: u32 = 0;
  for (; i + 16 <= length; i += 16) if (differing(a + i, b + i) != 0) return false;
  for (; i + 4 <= length; i += 4) if (u32At(a + i) != u32At(b + i)) return false;
  for (; i < length; i++) if (u8At(a + i) != u8At(b + i)) return false;
  return true;
}
