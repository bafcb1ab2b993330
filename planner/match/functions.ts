// SPDX-License-Identifier: MIT
/**
 * The functions of one image: every address that a function symbol names is one function, whatever number of names
 * it has. A `.cold` part is a function of its own here and knows its parent: what happens to one happens to both.
 *
 * A large program has a hundred thousand of them, and nearly all are as they were: names and instructions are made when
 * somebody asks for them.
 */
import { type DecodedFunction, Decoder, INSTRUCTION_WORDS, Kind } from '../core/load.js';
import { ElfError } from '../elf/error.js';
import type { ElfImage } from '../elf/image.js';
import { isCode, type Section } from '../elf/sections.js';
import { firstWhere, STB_LOCAL, STT_FUNC, STT_IFUNC, type SymbolTable } from '../elf/symbols.js';
import { groupByAddress } from './by-address.js';

export interface CodeFunction {
  readonly name: string;
  readonly names: readonly string[];
  /** STT_FILE, if every name is local. */
  readonly file: string | null;
  /** Place in the list of all functions of the image. */
  readonly index: number;
  /** Index in .symtab of the symbol that gives the name. */
  readonly symbol: number;
  readonly address: number;
  readonly size: number;
  /** False if the symbol has no size and the function is taken to reach to the next symbol. */
  readonly sized: boolean;
  readonly section: Section;
  readonly code: DecodedFunction;
  /** Of a .cold part: the function it was split from. */
  readonly parent: CodeFunction | null;
  /** The .cold parts. */
  readonly parts: readonly CodeFunction[];
}

const NO_PARTS: readonly CodeFunction[] = Object.freeze([]);

class SymbolFunction implements CodeFunction {
  readonly home: { readonly table: SymbolTable; readonly decoder: Decoder };
  /** In .symtab; the one that gives the name first. */
  readonly symbols: Uint32Array | number;
  readonly address: number;
  readonly size: number;
  readonly sized: boolean;
  readonly section: Section;
  index = 0;
  parent: CodeFunction | null = null;
  parts: readonly CodeFunction[] = NO_PARTS;
  decoded: DecodedFunction | null = null;

  constructor(
    home: SymbolFunction['home'],
    symbols: Uint32Array | number,
    address: number,
    size: number,
    sized: boolean,
    section: Section,
  ) {
    this.home = home;
    this.symbols = symbols;
    this.address = address;
    this.size = size;
    this.sized = sized;
    this.section = section;
  }

  get symbol(): number {
    return typeof this.symbols === 'number' ? this.symbols : this.symbols[0]!;
  }

  get name(): string {
    return this.home.table.name(this.symbol);
  }

  get names(): string[] {
    const all = typeof this.symbols === 'number' ? [this.symbols] : [...this.symbols];
    return all.map((index) => this.home.table.name(index));
  }

  get file(): string | null {
    const { table } = this.home;
    const isLocal = (index: number) => table.infos[index]! >> 4 === STB_LOCAL;
    const local = typeof this.symbols === 'number' ? isLocal(this.symbols) : this.symbols.every(isLocal);
    return local ? table.sourceFile(this.symbol) : null;
  }

  /** Rows count from the section's start. */
  get code(): DecodedFunction {
    const start = this.address - this.section.address;
    this.decoded ??= this.home.decoder.decode(this.section.bytes, [{ start, size: this.size }])[0]!;
    return this.decoded;
  }
}

/** Functions in order of address. Throws ElfError for one that does not lie within its section. */
export function readFunctions(image: ElfImage): CodeFunction[] {
  const home = { table: image.symbolTable, decoder: new Decoder() };
  const { sizes } = home.table;
  const all: SymbolFunction[] = [];
  for (const section of image.sections) {
    if (!isCode(section) || section.bytes.length === 0 || section.name.startsWith('.plt')) continue;
    const { addresses, symbols } = groupByAddress(home.table, section, [STT_FUNC, STT_IFUNC]);
    for (let i = 0; i < addresses.length; i++) {
      const named = symbols[i]!;
      const address = addresses[i]!;
      let known = 0;
      if (typeof named === 'number') known = sizes[named]!;
      else for (const symbol of named) known = Math.max(known, sizes[symbol]!);
      const next = addresses[i + 1] ?? section.address + section.size;
      const size = known || next - address;
      const fn = new SymbolFunction(home, named, address, size, known > 0, section);
      if (address + size > section.address + section.bytes.length)
        throw new ElfError('SYMBOL', {
          file: image.file,
          place: fn.name,
          expected: `a function within ${section.name}`,
          found: `0x${address.toString(16)}, size ${size}`,
          advice: 'the file is damaged',
        });
      all.push(fn);
    }
  }
  if (all.some((fn, i) => i > 0 && fn.address < all[i - 1]!.address)) all.sort((a, b) => a.address - b.address);
  for (let i = 0; i < all.length; i++) all[i]!.index = i;
  if (mentions(image.symbolTable.strings, '.cold')) adoptColdParts(all);
  return all;
}

const mentions = (strings: Uint8Array, word: string): boolean =>
  Buffer.from(strings.buffer, strings.byteOffset, strings.byteLength).includes(word, 0, 'latin1');

function adoptColdParts(functions: readonly SymbolFunction[]): void {
  const named = functions.map((part) => ({ part, name: part.name }));
  const parents = new Map<string, SymbolFunction[]>();
  const split = named.flatMap(({ part, name }) => {
    const parent = /^(.+)\.cold(\.\d+)?$/.exec(name)?.[1];
    if (parent === undefined) return [];
    parents.set(parent, []);
    return [{ part, parent }];
  });
  for (const { part, name } of named)
    for (const each of typeof part.symbols === 'number' ? [name] : part.names) parents.get(each)?.push(part);
  for (const { part, parent } of split) {
    const candidates = parents.get(parent)!;
    const found = candidates.find(({ file }) => file === part.file) ?? candidates.find(({ file }) => file === null);
    if (!found) continue;
    part.parent = found;
    found.parts = [...found.parts, part];
  }
}

/** Function and parts: what is replaced together. */
export const unitOf = (fn: CodeFunction): CodeFunction => fn.parent ?? fn;

/** Finds the function that holds an address: the last one that starts at or before it, if it reaches over it. */
export function functionFinder(functions: readonly CodeFunction[]): (address: number) => CodeFunction | null {
  const starts = Float64Array.from(functions, (fn) => fn.address);
  return (address) => {
    const fn = functions[firstWhere(starts.length, (i) => starts[i]! > address) - 1];
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
