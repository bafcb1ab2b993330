// SPDX-License-Identifier: MIT
/**
 * The core's door: a batch of functions per call, no call per instruction.
 *
 * In: code bytes, and for each function its range in them. Out: per function a row of FUNCTION_WORDS, per instruction a
 * row of INSTRUCTION_WORDS (layouts below; core/load.ts is their other reader). The hash of a function covers everything that
 * relocation and padding cannot change: PC-relative fields are left out, a branch is its condition only, whatever
 * size the assembler chose for it, and instructions that do nothing do not count.
 */
import * as d from './decode';

/** first instruction, number of instructions, offset of an undecodable byte + 1 (0: none), hash low, hash high. */
const FUNCTION_WORDS: usize = 5;
/**
 * offset in the code; length | kind << 8 | prefixes << 16; fieldAt | fieldSize << 8 | immAt << 16 | immSize << 24;
 * displacement of the field; hash; opcode | modrm << 16; dispAt | dispSize << 8.
 */
const INSTRUCTION_WORDS: usize = 7;

const PRIME: u64 = 0x9e3779b97f4a7c15;

// @ts-ignore: decorator
@inline
function mix(hash: u64, value: u64): u64 {
  const x = (hash ^ value) * PRIME;
  return x ^ (x >> 29);
}

/** Decodes `count` functions; the number of instructions written, or -1 if `capacity` instructions do not suffice. */
export function decodeBatch(code: usize, ranges: usize, count: i32, functions: usize, rows: usize, capacity: i32): i32 {
  let used: i32 = 0;
  for (let i: i32 = 0; i < count; i++) {
    const start = <usize>load<u32>(ranges + (<usize>i << 3));
    const size = <usize>load<u32>(ranges + (<usize>i << 3) + 4);
    const row = functions + <usize>i * (FUNCTION_WORDS << 2);
    const end = code + start + size;
    const first = used;
    let hash: u64 = PRIME;
    let bad: u32 = 0;
    let p = code + start;
    while (p < end) {
      const length = d.decode(p, end);
      if (length == 0) {
        bad = <u32>(p - code - start) + 1;
        break;
      }
      if (used == capacity) return -1;
      const one = hashOf(p, length);
      if (d.kind != d.NOP) hash = mix(hash, one);
      write(rows + <usize>used * (INSTRUCTION_WORDS << 2), p, <u32>(p - code), length, one);
      used++;
      p += length;
    }
    store<u32>(row, first);
    store<u32>(row + 4, used - first);
    store<u32>(row + 8, bad);
    store<u64>(row + 12, hash, 0, 4);
  }
  return used;
}

function write(row: usize, at: usize, offset: u32, length: u32, hash: u64): void {
  store<u32>(row, offset);
  store<u32>(row + 4, length | (d.kind << 8) | (d.prefixes << 16));
  store<u32>(row + 8, d.fieldAt | (d.fieldSize << 8) | (d.immAt << 16) | (d.immSize << 24));
  store<i32>(row + 12, field(at + d.fieldAt, d.fieldSize));
  store<u32>(row + 16, <u32>(hash ^ (hash >> 32)));
  store<u32>(row + 20, d.opcode | (d.modrm << 16));
  store<u32>(row + 24, d.dispAt | (d.dispSize << 8));
}

function field(at: usize, size: u32): i32 {
  if (size == 4) return load<i32>(at);
  if (size == 1) return load<i8>(at);
  if (size == 2) return load<i16>(at);
  return 0;
}

/** A hash of the instruction without what relocation fills in. */
function hashOf(at: usize, length: u32): u64 {
  let hash: u64 = PRIME;
  if (d.kind == d.JUMP || d.kind == d.JUMP_IF || d.kind == d.CALL) {
    // jcc is 70+cc with a byte and 0f 80+cc with four: the condition is in the low four bits of both
    hash = mix(hash, 0x10000 | (d.kind << 8) | (d.kind == d.JUMP_IF ? d.opcode & 15 : 0));
    return mix(hash, d.prefixes & 2);
  }
  for (let i: u32 = 0; i < length; i++) {
    if (i - d.fieldAt < d.fieldSize) continue;
    hash = mix(hash, load<u8>(at + i));
  }
  return mix(hash, length);
}

/** Where free memory starts: everything from here on is the caller's to lay out. */
export function heapBase(): usize {
  return __heap_base;
}
