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
