// SPDX-License-Identifier: MIT
/**
 * The only place that instantiates WebAssembly: whole batches of functions go in, typed arrays come out.
 *
 * The arrays handed out are copies; nobody outside sees the core's memory, and an instance lives no longer than one call.
 * What calls share is the compiled code, which nothing changes.
 */
import { coreBytes } from './core-bytes.js';

/** Words of a row per instruction; the layout is written in assembly/index.ts. */
export const INSTRUCTION_WORDS = 7;
const FUNCTION_WORDS = 5;
const PAGE = 65536;

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

interface Exports {
  readonly memory: WebAssembly.Memory;
  heapBase(): number;
  decodeBatch(code: number, ranges: number, count: number, functions: number, rows: number, capacity: number): number;
}

let compiled: WebAssembly.Module | null = null;

function instantiate(): Exports {
  compiled ??= new WebAssembly.Module(Buffer.from(coreBytes, 'base64'));
  return new WebAssembly.Instance(compiled, {
    env: {
      abort: () => {
        throw new Error('the core gave up');
      },
    },
  }).exports as unknown as Exports;
}

/** Decodes the functions at `ranges` of `code`; a range outside the code is a RangeError. */
export function decodeFunctions(code: Uint8Array, ranges: readonly CodeRange[]): DecodedFunction[] {
  let most = 0;
  for (const { start, size } of ranges) {
    if (start < 0 || size < 0 || start + size > code.length) throw new RangeError(`no code at ${start}+${size}`);
    most += size;
  }
  const core = instantiate();
  const align = (value: number) => (value + 15) & ~15;
  const codeAt = align(core.heapBase());
  const rangesAt = align(codeAt + code.length);
  const functionsAt = align(rangesAt + ranges.length * 8);
  const rowsAt = align(functionsAt + ranges.length * FUNCTION_WORDS * 4);

  // a guess of the mean length first; a batch of one-byte instructions makes it grow
  let capacity = (most >> 1) + 16;
  for (;;) {
    const need = rowsAt + capacity * INSTRUCTION_WORDS * 4;
    const missing = Math.ceil((need - core.memory.buffer.byteLength) / PAGE);
    if (missing > 0) core.memory.grow(missing);
    new Uint8Array(core.memory.buffer).set(code, codeAt);
    const input = new Uint32Array(core.memory.buffer, rangesAt, ranges.length * 2);
    ranges.forEach(({ start, size }, i) => {
      input[i * 2] = start;
      input[i * 2 + 1] = size;
    });
    if (core.decodeBatch(codeAt, rangesAt, ranges.length, functionsAt, rowsAt, capacity) >= 0) break;
    capacity = most + 1;
  }
  const heads = new Uint32Array(core.memory.buffer, functionsAt, ranges.length * FUNCTION_WORDS);
  const rows = new Int32Array(core.memory.buffer, rowsAt, capacity * INSTRUCTION_WORDS);
  return ranges.map((_, i) => {
    const [first, count, bad, low, high] = heads.subarray(i * FUNCTION_WORDS, (i + 1) * FUNCTION_WORDS);
    return {
      hash: (BigInt(high!) << 32n) | BigInt(low!),
      rows: rows.slice(first! * INSTRUCTION_WORDS, (first! + count!) * INSTRUCTION_WORDS),
      undecodable: bad === 0 ? null : bad! - 1,
    };
  });
}
