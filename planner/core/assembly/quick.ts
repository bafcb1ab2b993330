// SPDX-License-Identifier: MIT
/**
 * The decoder's answer in one word, as the sweep needs it, and by a shorter way for the forms that nearly all code is made of: at most one
 * of 66, f2 and f3, at most one REX prefix, the one-byte map or the one behind 0f. The way has hardly a branch that depends on the
 * code. What has another form is decoded by decode.ts; for what takes the short way it would say the same.
 *
 * The word: bits 0-3 length; 4-7 offset and 8-10 size of the PC-relative field; 11 the field belongs to an operand in memory;
 * 12-15 offset of an immediate of four bytes or more; 16-19 offset of a displacement of four bytes that is not PC-relative;
 * 20 fs or gs. 0: no instruction.
 */
import * as d from './decode';
import { u8At } from './memory';
import { IMM_B, IMM_Z, MAP0, MAP1, MODRM } from './tables';

export const MEMORY_FIELD: u32 = 1 << 11;
export const SEGMENT: u32 = 1 << 20;

/** By ModRM byte: bits 0-2 size of the displacement, 3 a SIB byte follows, 4 relative to the instruction pointer. */
const OPERAND: usize = memory.data<u8>([
  0, 0, 0, 0, 8, 20, 0, 0, 0, 0, 0, 0, 8, 20, 0, 0, // 00
  0, 0, 0, 0, 8, 20, 0, 0, 0, 0, 0, 0, 8, 20, 0, 0, // 10
  0, 0, 0, 0, 8, 20, 0, 0, 0, 0, 0, 0, 8, 20, 0, 0, // 20
  0, 0, 0, 0, 8, 20, 0, 0, 0, 0, 0, 0, 8, 20, 0, 0, // 30
  1, 1, 1, 1, 9, 1, 1, 1, 1, 1, 1, 1, 9, 1, 1, 1, // 40
  1, 1, 1, 1, 9, 1, 1, 1, 1, 1, 1, 1, 9, 1, 1, 1, // 50
  1, 1, 1, 1, 9, 1, 1, 1, 1, 1, 1, 1, 9, 1, 1, 1, // 60
  1, 1, 1, 1, 9, 1, 1, 1, 1, 1, 1, 1, 9, 1, 1, 1, // 70
  4, 4, 4, 4, 12, 4, 4, 4, 4, 4, 4, 4, 12, 4, 4, 4, // 80
  4, 4, 4, 4, 12, 4, 4, 4, 4, 4, 4, 4, 12, 4, 4, 4, // 90
  4, 4, 4, 4, 12, 4, 4, 4, 4, 4, 4, 4, 12, 4, 4, 4, // a0
  4, 4, 4, 4, 12, 4, 4, 4, 4, 4, 4, 4, 12, 4, 4, 4, // b0
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // c0
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // d0
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // e0
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // f0
]);

/** By what follows (tables.ts), and 8 more with REX.W: the size of the immediate or branch distance. */
const SIZES: usize = memory.data<u8>([0, 1, 2, 4, 4, 1, 4, 0, 0, 1, 2, 4, 8, 1, 4, 0]);

/** The instruction at `at`, which ends at `end` at the latest. Bytes beyond are read, but do not count. */
// @ts-ignore: decorator
@inline
export function wordAt(at: usize, end: usize): u32 {
  const word = quick(at);
  return word != 0 && at + (word & 15) <= end ? word : slow(at, end);
}

/** 0 for what has another form. */
// @ts-ignore: decorator
@inline
export function quick(at: usize): u32 {
  let p = at;
  let byte = u8At(p);
  const half: u32 = byte == 0x66 ? 1 : 0;
  if (half != 0 || byte == 0xf2 || byte == 0xf3) byte = u8At(++p);
  const rex: u32 = (byte & 0xf0) == 0x40 ? 1 : 0;
  const wide: u32 = rex & (byte >>> 3);
  p += rex;
  byte = u8At(p++);
  let address: u32 = 0;
  let follows: u32 = 0;
  if (byte == 0x0f) {
    byte = u8At(p++);
    // moves of control registers have no form in memory, SSE4a has immediates of its own
    if ((byte & 0xfc) == 0x20 || byte == 0x78) return 0;
    follows = u8At(MAP1 + byte);
    // a nop loads nothing
    address = byte == 0x1f ? 1 : 0;
  } else {
    // XOP
    if (byte == 0x8f) return 0;
    follows = u8At(MAP0 + byte);
    // of this group test alone has an immediate
    if ((byte & 0xfe) == 0xf6 && (u8At(p) & 0x30) == 0) follows = byte == 0xf6 ? MODRM | IMM_B : MODRM | IMM_Z;
    if (byte == 0xc7 && u8At(p) == 0xf8) return 0;
    address = byte == 0x8d ? 1 : 0;
  }
  const what: u32 = follows & 15;
  if (what > 6) return 0;
  if (half != 0 && (what == 3 || what == 4)) return 0;
  const hasModrm: u32 = (follows & MODRM) >>> 4;
  const modrm = u8At(p);
  const operand = u8At(OPERAND + modrm) & (hasModrm * 31);
  p += hasModrm;
  const sib = (operand >>> 3) & 1;
  const onlyIndex: u32 = modrm < 0x40 && (u8At(p) & 7) == 5 ? 1 : 0;
  const displacement = (operand & 7) | ((sib & onlyIndex) << 2);
  p += sib;
  const relative = operand >>> 4;
  const displacementAt = <u32>(p - at);
  p += displacement;
  const size = u8At(SIZES + what + (wide << 3));
  const immediateAt = <u32>(p - at);
  p += size;
  const branch: u32 = what > 4 ? 1 : 0;
  let word = <u32>(p - at);
  word |= branch != 0 ? (immediateAt << 4) | (size << 8) : relative != 0 ? (displacementAt << 4) | (4 << 8) : 0;
  word |= relative != 0 && address == 0 ? MEMORY_FIELD : 0;
  word |= branch == 0 && size >= 4 ? immediateAt << 12 : 0;
  word |= displacement == 4 && relative == 0 ? displacementAt << 16 : 0;
  return word;
}

/** The same by decode.ts. */
export function slow(at: usize, end: usize): u32 {
  const length = d.decode(at, end);
  if (length == 0) return 0;
  return (
    length |
    (d.fieldAt << 4) |
    (d.fieldSize << 8) |
    (d.kind == d.MEMORY ? MEMORY_FIELD : 0) |
    (d.immSize >= 4 ? d.immAt << 12 : 0) |
    (d.dispSize >= 4 ? d.dispAt << 16 : 0) |
    ((d.prefixes & 1) << 20)
  );
}

/** Where in `size` bytes, taken as a start at every byte, both ways first disagree; `size` if nowhere. */
export function disagreement(code: usize, size: u32): u32 {
  for (let i: u32 = 0; i < size; i++) {
    const word = quick(code + i);
    if (word != 0 && i + (word & 15) <= size && word != slow(code + i, code + size)) return i;
  }
  return size;
}
