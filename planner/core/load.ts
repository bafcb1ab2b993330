// SPDX-License-Identifier: MIT
/**
 * Functions as rows of instructions: whole batches of functions go into the core, typed arrays come out.
 *
 * The arrays handed out are copies; nobody outside sees the core's memory, and no call knows of another.
 */
import { grow, instantiate } from './instance.js';

/** Words of a row per instruction; the layout is written in assembly/batch.ts. */
export const INSTRUCTION_WORDS = 7;
const FUNCTION_WORDS = 5;

/** What the PC-relative field of an instruction is. */
export const Kind = {
  plain: 0,
  call: 1,
  jump: 2,
  jumpIf: 3,
  branch: 4,
  memory: 5,
  address: 6,
  nop: 7,
} as const;

export interface CodeRange {
  /** Bytes from the start of the code handed in. */
  readonly start: number;
  readonly size: number;
}

export interface DecodedFunction {
  /** Equal for functions that differ only in what relocation and padding change. */
  readonly hash: bigint;
  /** Rows of INSTRUCTION_WORDS. */
  readonly rows: Int32Array;
  /** Offset from the function's start of a byte that no instruction starts with, or null. */
  readonly undecodable: number | null;
}

/** Decodes again and again in one instance, which grows to what the largest call needs. */
export class Decoder {
  readonly #core = instantiate();

  /** The functions at `ranges` of `code`; a range outside the code is a RangeError. Rows count from the code's start. */
  decode(code: Uint8Array, ranges: readonly CodeRange[]): DecodedFunction[] {
    if (ranges.length === 0) return [];
    let most = 0;
    let low = code.length;
    let high = 0;
    for (const { start, size } of ranges) {
      if (start < 0 || size < 0 || start + size > code.length) throw new RangeError(`no code at ${start}+${size}`);
      most += size;
      low = Math.min(low, start);
      high = Math.max(high, start + size);
    }
    const core = this.#core;
    const align = (value: number) => (value + 15) & ~15;
    const codeAt = align(core.freeMemory());
    const rangesAt = align(codeAt + high - low);
    const functionsAt = align(rangesAt + ranges.length * 8);
    const rowsAt = align(functionsAt + ranges.length * FUNCTION_WORDS * 4);

    // a guess of the mean length first; a batch of one-byte instructions makes it grow
    let capacity = (most >> 1) + 16;
    for (;;) {
      grow(core, rowsAt + capacity * INSTRUCTION_WORDS * 4);
      new Uint8Array(core.memory.buffer).set(code.subarray(low, high), codeAt);
      const input = new Uint32Array(core.memory.buffer, rangesAt, ranges.length * 2);
      ranges.forEach(({ start, size }, i) => {
        input[i * 2] = start;
        input[i * 2 + 1] = size;
      });
      if (core.decodeBatch(codeAt - low, rangesAt, ranges.length, functionsAt, rowsAt, capacity) >= 0) break;
      capacity = most + 1;
    }
    const heads = new Uint32Array(core.memory.buffer, functionsAt, ranges.length * FUNCTION_WORDS);
    const rows = new Int32Array(core.memory.buffer, rowsAt, capacity * INSTRUCTION_WORDS);
    return ranges.map((_, i) => {
      const [first, count, bad, lowHash, highHash] = heads.subarray(i * FUNCTION_WORDS, (i + 1) * FUNCTION_WORDS);
      return {
        hash: (BigInt(highHash!) << 32n) | BigInt(lowHash!),
        rows: rows.slice(first! * INSTRUCTION_WORDS, (first! + count!) * INSTRUCTION_WORDS),
        undecodable: bad === 0 ? null : bad! - 1,
      };
    });
  }
}

/** Decodes one batch. */
export const decodeFunctions = (code: Uint8Array, ranges: readonly CodeRange[]): DecodedFunction[] =>
  new Decoder().decode(code, ranges);
