// SPDX-License-Identifier: MIT
// The linear memory of the planner's core in plain TypeScript: the same functions as planner/core/assembly/memory.ts, on typed arrays.
// For the benchmark alone; plain-core.ts puts it in that file's place. Several memories may live at once: a call into the core
// says first which one it works on.

const PAGE = 65536;
const FIRST = 64;

/** What stands for AssemblyScript's `memory`: constants, which every memory begins with. */
const constants: number[] = [];
export const memory = {
  data(values: readonly number[]): number {
    constants.push(...values);
    return FIRST + constants.length - values.length;
  },
};

export class PlainMemory {
  buffer = new ArrayBuffer(PAGE);
  bytes = new Uint8Array(this.buffer);
  view = new DataView(this.buffer);

  constructor() {
    this.bytes.set(constants, FIRST);
  }

  grow(pages: number): void {
    const grown = new ArrayBuffer(this.buffer.byteLength + pages * PAGE);
    new Uint8Array(grown).set(this.bytes);
    this.buffer = grown;
    this.bytes = new Uint8Array(grown);
    this.view = new DataView(grown);
  }
}

let bytes = new Uint8Array(0);
let view = new DataView(new ArrayBuffer(0));

/** The core's functions over a memory of their own: what planner/core/instance.ts gives with WebAssembly. */
export function plainCore(functions: Readonly<Record<string, (...words: number[]) => number>>) {
  const own = new PlainMemory();
  const bound = Object.entries(functions).map(([name, run]) => [
    name,
    (...words: number[]) => {
      bytes = own.bytes;
      view = own.view;
      return run(...words);
    },
  ]);
  return { ...Object.fromEntries(bound), memory: own };
}

export function grow({ memory: own }: { readonly memory: PlainMemory }, end: number): void {
  const missing = Math.ceil((end - own.buffer.byteLength) / PAGE);
  if (missing > 0) own.grow(missing);
}

export const u8At = (at: number): number => bytes[at]!;
export const i8At = (at: number): number => view.getInt8(at);
export const i16At = (at: number): number => view.getInt16(at, true);
export const i32At = (at: number): number => view.getInt32(at, true);
export const u32At = (at: number): number => view.getUint32(at, true);
export const put32 = (at: number, value: number): void => view.setUint32(at, value, true);
export const put8 = (at: number, value: number): void => view.setUint8(at, value);
export const multiply = (a: number, b: number): number => Math.imul(a, b);
export const freeMemory = (): number => FIRST + constants.length;

export function holdsAny(at: number, wanted: number, span: number): boolean {
  for (let i = 0; i < 16; i++) {
    const beyond = view.getInt32(at + i, true) - (wanted - i);
    if (beyond >= 0 && beyond <= span) return true;
  }
  return false;
}

export function differing(a: number, b: number): number {
  let mask = 0;
  for (let word = 0; word < 16; word += 4) {
    if (view.getInt32(a + word, true) === view.getInt32(b + word, true)) continue;
    for (let i = word; i < word + 4; i++) if (bytes[a + i] !== bytes[b + i]) mask |= 1 << i;
  }
  return mask;
}
