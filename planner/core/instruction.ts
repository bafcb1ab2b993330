// SPDX-License-Identifier: MIT
/** Reading the core's rows: one instruction as named fields, made only for functions that are looked at closely. */
import { type DecodedFunction, decodeFunctions, INSTRUCTION_WORDS, Kind } from './load.js';

export interface Instruction {
  /** Offset from the function's start. */
  readonly offset: number;
  readonly length: number;
  readonly kind: number;
  /** Offset within the instruction and size of the PC-relative field; size 0 if there is none. */
  readonly fieldAt: number;
  readonly fieldSize: number;
  /** The field's value: distance from the instruction's end. */
  readonly distance: number;
  readonly immediateAt: number;
  readonly immediateSize: number;
  readonly displacementAt: number;
  readonly displacementSize: number;
  /** Hash of what relocation cannot change. */
  readonly hash: number;
  /** Opcode map << 8 | opcode byte; maps as in assembly/decode.ts. */
  readonly opcode: number;
  readonly modrm: number;
  /** Bit 0: a segment override to fs or gs. */
  readonly prefixes: number;
}

export const instructionCount = (rows: Int32Array): number => rows.length / INSTRUCTION_WORDS;

/** The `index`-th instruction; `start` is the function's start in the code that was decoded. */
export function instructionAt(rows: Int32Array, index: number, start: number): Instruction {
  const row = index * INSTRUCTION_WORDS;
  const shape = rows[row + 1]!;
  const fields = rows[row + 2]!;
  const opcode = rows[row + 5]!;
  const displacement = rows[row + 6]!;
  return {
    offset: rows[row]! - start,
    length: shape & 0xff,
    kind: (shape >>> 8) & 0xff,
    prefixes: (shape >>> 16) & 0xff,
    fieldAt: fields & 0xff,
    fieldSize: (fields >>> 8) & 0xff,
    immediateAt: (fields >>> 16) & 0xff,
    immediateSize: (fields >>> 24) & 0xff,
    distance: rows[row + 3]!,
    hash: rows[row + 4]!,
    opcode: opcode & 0xffff,
    modrm: (opcode >>> 16) & 0xff,
    displacementAt: displacement & 0xff,
    displacementSize: (displacement >>> 8) & 0xff,
  };
}

/** A direct branch: call, jmp, jcc, loop. */
export const isBranch = (kind: number): boolean => kind >= Kind.call && kind <= Kind.branch;

/** A call, direct or through a register or memory (ff /2). */
export const isCall = ({ kind, opcode, modrm }: Instruction): boolean =>
  kind === Kind.call || (opcode === 0xff && ((modrm >> 3) & 7) === 2);

/** The instructions of `code` in turn, up to its end or to the first byte that none begins with. */
export function instructions(code: Uint8Array): Instruction[] {
  const [{ rows }] = decodeFunctions(code, [{ start: 0, size: code.length }]) as [DecodedFunction];
  return Array.from({ length: instructionCount(rows) }, (_, i) => instructionAt(rows, i, 0));
}
