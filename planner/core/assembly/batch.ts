// SPDX-License-Identifier: MIT
/**
 * Functions as rows of instructions, for those who look closely.
 *
 * In: code bytes, and for each function its range in them. Out: per function a row of FUNCTION_WORDS, per instruction a
 * row of INSTRUCTION_WORDS (layouts below; core/load.ts is their other reader). The hash of a function covers everything that
 * relocation and padding cannot change: instructions that do nothing do not count.
 */
import * as d from './decode';
import * as hash from './hash';
import { i8At, i16At, i32At, put32, u32At } from './memory';

/** first instruction, number of instructions, offset of an undecodable byte + 1 (0: none), hash low, hash high. */
const FUNCTION_BYTES: usize = 20;
/**
 * offset in the code; length | kind << 8 | prefixes << 16; fieldAt | fieldSize << 8 | immAt << 16 | immSize << 24;
 * displacement of the field; hash; opcode | modrm << 16; dispAt | dispSize << 8.
 */
const INSTRUCTION_BYTES: usize = 28;

/** Decodes `count` functions; the number of instructions written, or -1 if `capacity` instructions do not suffice. */
export function decodeBatch(code: usize, ranges: usize, count: i32, functions: usize, rows: usize, capacity: i32): i32 {
  let used: i32 = 0;
  let range = ranges;
  let row = functions;
  let to = rows;
  for (let i: i32 = 0; i < count; i++) {
    const start: usize = code + u32At(range);
    const end: usize = start + u32At(range + 4);
    const first = used;
    let bad: u32 = 0;
    hash.reset();
    let p = start;
    while (p < end) {
      const length = d.decode(p, end);
      if (length == 0) {
        bad = <u32>(p - start) + 1;
        break;
      }
      if (used == capacity) return -1;
      const one = hash.ofInstruction(p, length);
      if (d.kind != d.NOP) hash.add(one);
      write(to, p, <u32>(p - code), length, one);
      used++;
      to += INSTRUCTION_BYTES;
      p += length;
    }
    put32(row, first);
    put32(row + 4, used - first);
    put32(row + 8, bad);
    put32(row + 12, hash.low);
    put32(row + 16, hash.high);
    range += 8;
    row += FUNCTION_BYTES;
  }
  return used;
}

function write(row: usize, at: usize, offset: u32, length: u32, one: u32): void {
  put32(row, offset);
  put32(row + 4, length | (d.kind << 8) | (d.prefixes << 16));
  put32(row + 8, d.fieldAt | (d.fieldSize << 8) | (d.immAt << 16) | (d.immSize << 24));
  put32(row + 12, field(at + d.fieldAt, d.fieldSize));
  put32(row + 16, one);
  put32(row + 20, d.opcode | (d.modrm << 16));
  put32(row + 24, d.dispAt | (d.dispSize << 8));
}

/** A PC-relative field's value. */
export function field(at: usize, size: u32): i32 {
  if (size == 4) return i32At(at);
  if (size == 1) return i8At(at);
  if (size == 2) return i16At(at);
  return 0;
}
