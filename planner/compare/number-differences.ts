// SPDX-License-Identifier: MIT
/**
 * Where two functions with the same instructions have different numbers: in moves to registers, memory and the stack, in texts, and
 * in unnamed constants. Any other difference means that there is no such list. What the numbers mean is for others to
 * judge (line-numbers.ts).
 */
import type { Instruction } from '../core/instruction.js';
import { Kind } from '../core/load.js';
import { bytesAt } from '../elf/image.js';
import { viewOf } from '../elf/symbols.js';
import type { CodeFunction } from '../match/functions.js';
import { constantBytes, textAt } from './constants.js';
import type { Context } from './context.js';
import { distanceTableAt } from './distance-tables.js';
import { instructionsOf, referenceOf } from './instructions.js';
import { sameBytes, sameReference } from './references.js';
import { referentAt } from './referent.js';
import type { Side } from './side.js';
import { sameThreadVariable, threadLayoutMoved } from './thread-access.js';

/** An old function or part of one, and what is paired with it. */
export interface FunctionPair {
  readonly old: CodeFunction;
  readonly new: CodeFunction;
}

const RAX = 0;
/** Bytes of a constant in which numbers are looked for. */
const MOST_CONSTANT = 256;

/** A pair of instructions that differ in numbers only, with the numbers. */
export interface NumberDifference {
  readonly index: number;
  readonly old: Instruction;
  readonly new: Instruction;
  readonly numbers: readonly (readonly [old: number, now: number])[];
  /** For texts: the number stands behind the name of a source file. */
  readonly named: boolean;
}

/** Null if the functions differ in something that is no number. */
export function numberDifferences(context: Context, { old: a, new: b }: FunctionPair): NumberDifference[] | null {
  if (a.code.undecodable !== null || b.code.undecodable !== null) return null;
  const olds = instructionsOf(a);
  const news = instructionsOf(b);
  if (olds.length !== news.length) return null;
  const moved = threadLayoutMoved(context);
  const differences: NumberDifference[] = [];
  for (let index = 0; index < olds.length; index++) {
    const [x, y] = [olds[index]!, news[index]!];
    if (x.kind !== y.kind || x.fieldSize > 0 !== y.fieldSize > 0) return null;
    let named = false;
    const numbers: [number, number][] = [];
    if (moved && !sameThreadVariable(context, a, x, b, y)) return null;
    if (x.hash !== y.hash) {
      const found = changedNumbers(a, x, b, y);
      if (found === null) return null;
      numbers.push(...found);
    }
    if (x.fieldSize > 0 && !sameReference(context, referenceOf(a, x), referenceOf(b, y))) {
      const found = changedText(context, a, x, b, y) ?? changedConstant(context, a, x, b, y);
      if (found === null) return null;
      numbers.push(...found.numbers);
      named = found.named;
    }
    if (numbers.length > 0) differences.push({ index, old: x, new: y, numbers, named });
  }
  return differences;
}

const bytesOf = (fn: CodeFunction, { offset, length }: Instruction): Uint8Array => {
  const start = fn.address - fn.section.address + offset;
  return fn.section.bytes.subarray(start, start + length);
};

/** Of two moves of a number into a register, into memory, or onto the stack; null for anything else. */
function changedNumbers(a: CodeFunction, x: Instruction, b: CodeFunction, y: Instruction): [number, number][] | null {
  if (isPush(x) && isPush(y)) return [[numberAt(a, x, 0, x.immediateSize), numberAt(b, y, 0, y.immediateSize)]];
  const moves = (x.opcode >= 0xb8 && x.opcode <= 0xbf) || (x.opcode === 0xc7 && ((x.modrm >> 3) & 7) === 0);
  if (!moves || x.opcode !== y.opcode || x.length !== y.length || x.immediateSize !== y.immediateSize) return null;
  const [old, now] = [bytesOf(a, x), bytesOf(b, y)];
  const outside = (at: number) =>
    (at < x.immediateAt || at >= x.immediateAt + x.immediateSize) && (at < x.fieldAt || at >= x.fieldAt + x.fieldSize);
  for (let at = 0; at < x.length; at++) if (outside(at) && old[at] !== now[at]) return null;
  // what a function returns is no line, but two stores that were merged go through a register as well
  if (targetRegister(a, x) === RAX && x.immediateSize < 8) return null;
  // stores of two neighbours are merged into one of eight bytes
  const step = Math.min(x.immediateSize, 4);
  const numbers: [number, number][] = [];
  for (let at = 0; at < x.immediateSize; at += step) {
    const pair: [number, number] = [numberAt(a, x, at, step), numberAt(b, y, at, step)];
    if (pair[0] !== pair[1]) numbers.push(pair);
  }
  return numbers;
}

export const isPush = ({ opcode }: Instruction): boolean => opcode === 0x6a || opcode === 0x68;

function numberAt(fn: CodeFunction, instruction: Instruction, skip: number, size: number): number {
  const bytes = bytesOf(fn, instruction);
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[instruction.immediateAt + skip + i]!;
  return value;
}

/** The register that a move of a number fills; null for memory. */
export function targetRegister(fn: CodeFunction, instruction: Instruction): number | null {
  const { opcode, modrm, immediateAt } = instruction;
  const bytes = bytesOf(fn, instruction);
  const inModrm = opcode === 0xc7;
  if (inModrm && modrm >> 6 !== 3) return null;
  const rex = bytes[immediateAt - (inModrm ? 3 : 2)] ?? 0;
  return (inModrm ? modrm & 7 : opcode & 7) | ((rex & 0xf1) === 0x41 ? 8 : 0);
}

/** Of two texts that are equal but for decimal numbers; null for anything else. */
function changedText(context: Context, a: CodeFunction, x: Instruction, b: CodeFunction, y: Instruction) {
  if (x.kind !== Kind.address || y.kind !== Kind.address) return null;
  const text = (side: Side, fn: CodeFunction, instruction: Instruction): string | null => {
    const { address } = referenceOf(fn, instruction);
    const bytes = referentAt(side, address).kind === 'constant' ? textAt(side, address) : null;
    return bytes && Buffer.from(bytes).toString('latin1');
  };
  const old = text(context.before, a, x);
  const now = text(context.after, b, y);
  if (old === null || now === null || old === now) return null;
  const [oldPieces, newPieces] = [old.split(/(\d+)/), now.split(/(\d+)/)];
  if (oldPieces.length !== newPieces.length) return null;
  const numbers: [number, number][] = [];
  let named = true;
  for (let i = 0; i < oldPieces.length; i++) {
    if (oldPieces[i] === newPieces[i]) continue;
    if (i % 2 === 0 || oldPieces[i]!.length > 7 || newPieces[i]!.length > 7) return null;
    numbers.push([Number(oldPieces[i]), Number(newPieces[i])]);
    named &&= /\.[A-Za-z+]{1,4}[:( ]+(line )?$/.test(oldPieces[i - 1]!);
  }
  return { numbers, named };
}

/** Of two unnamed constants that differ in whole numbers only: structures to be copied, merged stores; null for anything else. */
function changedConstant(context: Context, a: CodeFunction, x: Instruction, b: CodeFunction, y: Instruction) {
  const { before, after } = context;
  const [from, to] = [referenceOf(a, x), referenceOf(b, y)];
  const isConstant = (side: Side, address: number) => referentAt(side, address).kind === 'constant';
  if (!isConstant(before, from.address) || !isConstant(after, to.address)) return null;
  if (distanceTableAt(before, from.address, a) !== null || distanceTableAt(after, to.address, b) !== null) return null;
  const size = constantBytes(before, from).length;
  if (from.loaded !== to.loaded || size !== constantBytes(after, to).length || size > MOST_CONSTANT) return null;
  const number = (side: Side, address: number): number | null => {
    const bytes = bytesAt(side.image, address, 4);
    return bytes?.length === 4 && !side.image.relocations.has(address) ? viewOf(bytes).getUint32(0, true) : null;
  };
  const numbers: [number, number][] = [];
  for (let at = 0; at < size; at += 4) {
    const filled = before.image.relocations.has(from.address + at);
    if (!sameBytes(context, from.address + at, to.address + at, filled ? 8 : 4)) {
      const [old, now] = [number(before, from.address + at), number(after, to.address + at)];
      if (old === null || now === null) return null;
      numbers.push([old, now]);
    }
    if (filled) at += 4;
  }
  return { numbers, named: false };
}
