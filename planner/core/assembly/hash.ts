// SPDX-License-Identifier: MIT
/**
 * A hash over everything of an instruction that relocation cannot change. The PC-relative field is left out; a branch is its
 * condition only, whatever size the assembler chose for it. Two lanes of 32 bits, in the globals below.
 */
import * as d from './decode';
import { multiply, u8At } from './memory';

const SEED: u32 = 0x7f4a7c15;

export let low: u32 = SEED;
export let high: u32 = SEED;

// @ts-ignore: decorator
@inline
function mixed(hash: u32, value: u32, prime: u32): u32 {
  const x = multiply(hash ^ value, prime);
  return x ^ (x >>> 15);
}

export function reset(): void {
  low = SEED;
  high = SEED;
}

/** Takes a value into both lanes. */
export function add(value: u32): void {
  low = mixed(low, value, 0x9e3779b1);
  high = mixed(high, value ^ low, 0x85ebca77);
}

/** A hash of the instruction that was just decoded at `at`. */
export function ofInstruction(at: usize, length: u32): u32 {
  if (d.kind == d.JUMP || d.kind == d.JUMP_IF || d.kind == d.CALL) {
    // jcc is 70+cc with a byte and 0f 80+cc with four: the condition is in the low four bits of both
    const branch = mixed(SEED, 0x10000 | (d.kind << 8) | (d.kind == d.JUMP_IF ? d.opcode & 15 : 0), 0x9e3779b1);
    return mixed(branch, d.prefixes & 2, 0x9e3779b1);
  }
  let hash: u32 = SEED;
  const fieldEnd = d.fieldAt + d.fieldSize;
  for (let i: u32 = 0; i < length; i++) {
    if (i >= d.fieldAt && i < fieldEnd) continue;
    hash = mixed(hash, u8At(at + i), 0xc2b2ae3d);
  }
  return mixed(hash, length, 0x9e3779b1);
}
