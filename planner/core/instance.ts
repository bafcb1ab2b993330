// SPDX-License-Identifier: MIT
/**
 * The only place that instantiates WebAssembly. What instances share is the compiled code, which nothing changes.
 */
import { coreBytes } from './core-bytes.js';

const PAGE = 65536;

export interface Core {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  freeMemory(): number;
  disagreement(code: number, size: number): number;
  numberNames(table: number, texts: number, size: number, words: number, count: number): void;
  findName(table: number, text: number, size: number): number;
  spreadNames(table: number): void;
  decodeBatch(code: number, ranges: number, count: number, functions: number, rows: number, capacity: number): number;
  sweepPairs(
    old: number,
    now: number,
    pairs: number,
    first: number,
    count: number,
    verdicts: number,
    queue: number,
    capacity: number,
    known: number,
  ): number;
  findFields(
    code: number,
    size: number,
    address: number,
    low: number,
    span: number,
    found: number,
    capacity: number,
  ): number;
  listTargets(side: number, ranges: number, count: number): void;
}

let compiled: WebAssembly.Module | null = null;

/** A core with little memory: whoever lays something out makes it grow first. */
export function instantiate(): Core {
  compiled ??= new WebAssembly.Module(Buffer.from(coreBytes, 'base64'));
  return new WebAssembly.Instance(compiled, {
    env: {
      abort: () => {
        throw new Error('the core gave up');
      },
    },
  }).exports as unknown as Core;
}

/** Makes the memory reach to `end`; views of it from before are void then. */
export function grow({ memory }: Core, end: number): void {
  const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE);
  if (missing > 0) memory.grow(missing);
}
