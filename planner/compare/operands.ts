// SPDX-License-Identifier: MIT
/**
 * Numbers in instructions that have the form of an absolute address: a displacement of four bytes, and the immediates of those
 * instructions by which compilers bring addresses into registers and memory. What they mean is asked elsewhere (absolute.ts).
 */
import { type Instruction, instructionAt, instructionCount, isBranch } from '../core/instruction.js';
import { Kind } from '../core/load.js';
import { viewOf } from '../elf/symbols.js';
import type { CodeFunction } from '../match/functions.js';

export interface Operand {
  /** From the start of the instruction. */
  readonly at: number;
  readonly size: 4 | 8;
  readonly value: number;
  readonly displacement: boolean;
  /** Of a displacement: without base and index, so it is the address itself. */
  readonly alone: boolean;
  /** An immediate in a form that is longer than a number of its size needs. */
  readonly long: boolean;
  /** lea with a base: as good for adding numbers. */
  readonly sum: boolean;
  /** The processor extends it with its sign. */
  readonly signed: boolean;
}

const MOV_LOW = 0xb8;
const MOV_HIGH = 0xbf;
const PUSH = 0x68;
const LEA = 0x8d;
/** mov to memory, add, sub, cmp, all of eight bytes; which of a group's operations. */
const WIDE_FORMS: ReadonlyMap<number, readonly number[] | null> = new Map([
  [0xc7, [0]],
  [0x81, [0, 5, 7]],
  [0x05, null],
  [0x2d, null],
  [0x3d, null],
]);
const REX_W = 64;
const FS_OR_GS = 1;

export function operandsOf(fn: CodeFunction, instruction: Instruction): Operand[] {
  const { kind, opcode, modrm, prefixes, displacementAt, displacementSize, immediateAt, immediateSize } = instruction;
  if (kind === Kind.nop || isBranch(kind)) return [];
  const found: Operand[] = [];
  if (displacementSize === 4 && (prefixes & FS_OR_GS) === 0) {
    // ModRM says that a SIB byte follows, which says that there is no base; and with 0x20 no index either
    const sib = (modrm & 0xc7) === 4 ? byteAt(fn, instruction, displacementAt - 1) : null;
    const alone = sib !== null && (sib & 0x3f) === 0x25;
    const sum = opcode === LEA && sib === null;
    const value = valueAt(fn, instruction, displacementAt, 4);
    found.push({ at: displacementAt, size: 4, value, displacement: true, alone, long: false, sum, signed: true });
  }
  const toRegister = opcode >= MOV_LOW && opcode <= MOV_HIGH;
  const operations = WIDE_FORMS.get(opcode);
  const wide = (prefixes & REX_W) !== 0 && operations !== undefined;
  const fits = toRegister || opcode === PUSH || (wide && (operations?.includes((modrm >> 3) & 7) ?? true));
  if (fits && (immediateSize === 4 || immediateSize === 8)) {
    const value = valueAt(fn, instruction, immediateAt, immediateSize);
    const signed = immediateSize === 4 && !toRegister;
    // a number that small would be moved by the form with four bytes and no prefix
    const move = immediateSize === 8 || (opcode === 0xc7 && modrm >= 0xc0);
    const long = move && value < 2 ** 31;
    const size = immediateSize;
    found.push({ at: immediateAt, size, value, displacement: false, alone: false, long, sum: false, signed });
  }
  return found;
}

/** The values of all such operands of `fn`. */
export function possibleAddresses(fn: CodeFunction): number[] {
  const start = fn.address - fn.section.address;
  const values: number[] = [];
  for (let i = 0; i < instructionCount(fn.code.rows); i++)
    for (const { value } of operandsOf(fn, instructionAt(fn.code.rows, i, start))) values.push(value);
  return values;
}

const byteAt = (fn: CodeFunction, { offset }: Instruction, at: number): number =>
  fn.section.bytes[fn.address - fn.section.address + offset + at]!;

function valueAt(fn: CodeFunction, { offset }: Instruction, at: number, size: 4 | 8): number {
  const view = viewOf(fn.section.bytes);
  const start = fn.address - fn.section.address + offset + at;
  return size === 4 ? view.getUint32(start, true) : Number(view.getBigUint64(start, true));
}
