// SPDX-License-Identifier: MIT
/**
 * The functions of one image: every address that a function symbol names is one function, whatever number of names
 * it has. A `.cold` part is a function of its own here and knows its parent: what happens to one happens to both.
 */
import { type DecodedFunction, decodeFunctions, INSTRUCTION_WORDS, Kind } from '../core/load.js';
import { ElfError } from '../elf/error.js';
import type { ElfImage } from '../elf/image.js';
import { isCode, type Section } from '../elf/sections.js';
import { type ElfSymbol, STB_GLOBAL, STB_LOCAL, STT_FUNC, STT_IFUNC } from '../elf/symbols.js';

export interface CodeFunction {
  readonly name: string;
  readonly names: readonly string[];
  /** STT_FILE, if every name is local. */
  readonly file: string | null;
  readonly address: number;
  readonly size: number;
  /** False if the symbol has no size and the function is taken to reach to the next symbol. */
  readonly sized: boolean;
  readonly section: Section;
  readonly code: DecodedFunction;
  /** Of a .cold part: the function it was split from. */
  parent: CodeFunction | null;
  /** The .cold parts. */
  readonly parts: CodeFunction[];
}

/** Functions in order of address; throws ElfError for code that cannot be decoded. */
export function readFunctions(image: ElfImage): CodeFunction[] {
  const all: CodeFunction[] = [];
  for (const section of image.sections) {
    if (!isCode(section) || section.bytes.length === 0 || section.name.startsWith('.plt')) continue;
    const named = symbolsByAddress(image, section);
    const starts = [...named.keys()].sort((a, b) => a - b);
    const shapes = starts.map((address, i) => {
      const symbols = named.get(address)!;
      const size = Math.max(...symbols.map((symbol) => symbol.size));
      const next = starts[i + 1] ?? section.address + section.size;
      return { symbols, address, size: size || next - address, sized: size > 0 };
    });
    for (const { symbols, address, size } of shapes)
      if (address + size > section.address + section.bytes.length)
        throw new ElfError('SYMBOL', {
          file: image.file,
          place: symbols[0]!.name,
          expected: `a function within ${section.name}`,
          found: `0x${address.toString(16)}, size ${size}`,
          advice: 'the file is damaged',
        });
    const ranges = shapes.map(({ address, size }) => ({ start: address - section.address, size }));
    const decoded = decodeFunctions(section.bytes, ranges);
    shapes.forEach(({ symbols, address, size, sized }, i) => {
      const names = symbols.map(({ name }) => name);
      const file = symbols.every(({ bind }) => bind === STB_LOCAL) ? symbols[0]!.file : null;
      const code = decoded[i]!;
      all.push({ name: names[0]!, names, file, address, size, sized, section, code, parent: null, parts: [] });
    });
  }
  all.sort((a, b) => a.address - b.address);
  adoptColdParts(all);
  return all;
}

function symbolsByAddress(image: ElfImage, section: Section): Map<number, ElfSymbol[]> {
  const named = new Map<number, ElfSymbol[]>();
  for (const symbol of image.symbols) {
    if (symbol.section !== section.index || (symbol.type !== STT_FUNC && symbol.type !== STT_IFUNC)) continue;
    if (symbol.value < section.address || symbol.value >= section.address + section.size) continue;
    const list = named.get(symbol.value);
    if (list) list.push(symbol);
    else named.set(symbol.value, [symbol]);
  }
  // a global name is what others know the function by
  const rank = ({ bind }: ElfSymbol) => (bind === STB_GLOBAL ? 0 : bind === STB_LOCAL ? 2 : 1);
  for (const list of named.values())
    list.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return named;
}

function adoptColdParts(functions: readonly CodeFunction[]): void {
  const byName = new Map<string, CodeFunction[]>();
  for (const fn of functions) for (const name of fn.names) byName.set(name, [...(byName.get(name) ?? []), fn]);
  for (const part of functions) {
    const match = /^(.+)\.cold(\.\d+)?$/.exec(part.name);
    if (!match) continue;
    const candidates = byName.get(match[1]!) ?? [];
    const parent = candidates.find(({ file }) => file === part.file) ?? candidates.find(({ file }) => file === null);
    if (!parent) continue;
    part.parent = parent;
    parent.parts.push(part);
  }
}

/** Function and parts: what is replaced together. */
export const unitOf = (fn: CodeFunction): CodeFunction => fn.parent ?? fn;

/** Finds the function that holds an address. */
export function functionFinder(functions: readonly CodeFunction[]): (address: number) => CodeFunction | null {
  return (address) => {
    let low = 0;
    let high = functions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (functions[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    const fn = functions[low - 1];
    return fn !== undefined && address < fn.address + fn.size ? fn : null;
  };
}

const counts = new WeakMap<DecodedFunction, Int32Array>();

/** For every instruction the number of instructions before it that do something; one more entry for the end. */
function effectiveIndices(code: DecodedFunction): Int32Array {
  let indices = counts.get(code);
  if (indices) return indices;
  const count = code.rows.length / INSTRUCTION_WORDS;
  indices = new Int32Array(count + 1);
  for (let i = 0; i < count; i++) {
    const kind = (code.rows[i * INSTRUCTION_WORDS + 1]! >>> 8) & 0xff;
    indices[i + 1] = indices[i]! + (kind === Kind.nop ? 0 : 1);
  }
  counts.set(code, indices);
  return indices;
}

const startOf = (fn: CodeFunction): number => fn.address - fn.section.address;

/** Index of the instruction at `offset` without counting padding; null if none starts there. */
export function indexAt(fn: CodeFunction, offset: number): number | null {
  const { rows } = fn.code;
  const indices = effectiveIndices(fn.code);
  if (offset === fn.size) return indices[indices.length - 1]!;
  const wanted = startOf(fn) + offset;
  let low = 0;
  let high = rows.length / INSTRUCTION_WORDS;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle * INSTRUCTION_WORDS]! < wanted) low = middle + 1;
    else high = middle;
  }
  return rows[low * INSTRUCTION_WORDS] === wanted ? indices[low]! : null;
}

/** Offset of the first instruction with this index: the inverse of `indexAt`, up to padding. */
export function offsetOfIndex(fn: CodeFunction, index: number): number | null {
  const indices = effectiveIndices(fn.code);
  for (let i = 0; i < indices.length - 1; i++) {
    const row = i * INSTRUCTION_WORDS;
    const kind = (fn.code.rows[row + 1]! >>> 8) & 0xff;
    if (indices[i] === index && kind !== Kind.nop) return fn.code.rows[row]! - startOf(fn);
  }
  return indices[indices.length - 1] === index ? fn.size : null;
}
