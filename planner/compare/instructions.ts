// SPDX-License-Identifier: MIT
/** A function's instructions one by one, and what each refers to relative to itself. */
import { type Instruction, instructionAt, instructionCount } from '../core/instruction.js';
import { INSTRUCTION_WORDS, Kind } from '../core/load.js';
import type { CodeFunction } from '../match/functions.js';
import { operandSize } from './operand.js';
import type { Reference } from './references.js';

/** The instructions that do something. */
export function instructionsOf(fn: CodeFunction): Instruction[] {
  const start = fn.address - fn.section.address;
  const all: Instruction[] = [];
  for (let i = 0; i < instructionCount(fn.code.rows); i++) {
    if (((fn.code.rows[i * INSTRUCTION_WORDS + 1]! >>> 8) & 0xff) !== Kind.nop)
      all.push(instructionAt(fn.code.rows, i, start));
  }
  return all;
}

export function referenceOf(fn: CodeFunction, instruction: Instruction): Reference {
  const { offset, length, distance, kind } = instruction;
  const address = fn.address + offset + length + distance;
  if (kind !== Kind.memory) return { from: fn, address, loaded: false };
  return { from: fn, address, loaded: true, width: operandSize(fn, instruction) ?? 0 };
}

/** The references of `fn` to `address`. Of the other instructions no object is made. */
export function referencesTo(fn: CodeFunction, address: number): Reference[] {
  const { rows } = fn.code;
  const start = fn.address - fn.section.address;
  const found: Reference[] = [];
  // as in instructionAt: the offset, the length, the size of the field, and the distance
  for (let i = 0, row = 0; row < rows.length; i++, row += INSTRUCTION_WORDS) {
    const to = fn.address + rows[row]! - start + (rows[row + 1]! & 0xff) + rows[row + 3]!;
    if (to === address && ((rows[row + 2]! >>> 8) & 0xff) > 0)
      found.push(referenceOf(fn, instructionAt(rows, i, start)));
  }
  return found;
}
