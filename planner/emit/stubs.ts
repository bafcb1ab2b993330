// SPDX-License-Identifier: MIT
/**
 * Short branches out of a function. The assembler uses one byte of distance where a neighbour is near; in the patch the
 * neighbour is far away. Each such target gets a stub, a jump of five bytes, in front of the function's code if it
 * lay before it and behind if it lay behind: so the stub is nearly as close as the target was, and the code itself keeps
 * its bytes and its offsets.
 */
import { instructionsOf, referenceOf } from '../compare/instructions.js';
import { isBranch } from '../core/instruction.js';
import type { CodeFunction } from '../match/functions.js';

export interface PlacedCode {
  readonly section: number;
  /** Of the function's entry in the section. */
  readonly offset: number;
  /** Old target → offset of its stub in the section. */
  readonly stubs: ReadonlyMap<number, number>;
}

const STUB = 5;
const JMP = 0xe9;
const ENTRY_ALIGN = 16;

/** Addresses outside of `fn` that it reaches by branches with less than four bytes. */
export function shortExits(fn: CodeFunction): number[] {
  const exits = new Set<number>();
  for (const instruction of instructionsOf(fn)) {
    if (!isBranch(instruction.kind) || instruction.fieldSize === 4) continue;
    const { address } = referenceOf(fn, instruction);
    if (address < fn.address || address >= fn.address + fn.size) exits.add(address);
  }
  return [...exits].sort((a, b) => a - b);
}

/** A copy of the function's code with its stubs. */
export function withStubs(fn: CodeFunction, exits: readonly number[]) {
  const start = fn.address - fn.section.address;
  const code = fn.section.bytes.subarray(start, start + fn.size);
  const front = exits.filter((address) => address < fn.address);
  const behind = exits.filter((address) => address >= fn.address);
  const offset = Math.ceil((front.length * STUB) / ENTRY_ALIGN) * ENTRY_ALIGN;
  const bytes = new Uint8Array(offset + code.length + behind.length * STUB).fill(0xcc, 0, offset);
  bytes.set(code, offset);
  const stubs = new Map<number, number>();
  front.forEach((address, i) => {
    stubs.set(address, offset - (front.length - i) * STUB);
  });
  behind.forEach((address, i) => {
    stubs.set(address, offset + code.length + i * STUB);
  });
  for (const stub of stubs.values()) bytes.set([JMP, 0, 0, 0, 0], stub);
  return { bytes, offset, stubs };
}
