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
import type { NameIds } from '../elf/name-ids.js';
import { isCode, type Section } from '../elf/sections.js';
import { STT_FUNC, STT_IFUNC, type SymbolTable } from '../elf/symbols.js';
import { groupByAddress, sectionsWith } from './by-address.js';
import { coldParts, type Family } from './cold-parts.js';
import { inOrder, joinGroups } from './columns.js';
import { Things } from './things.js';

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

/** What all functions of an image share. */
interface Home extends Family {
  readonly table: SymbolTable;
  readonly decoder: Decoder;
  /** By index: 0 if the symbol has no size. */
  readonly sized: Uint8Array;
}

class SymbolFunction implements CodeFunction {
  readonly index: number;
  readonly address: number;
  readonly size: number;
  readonly section: Section;
  readonly #home: Home;
  readonly #all: Things<CodeFunction>;
  #decoded: DecodedFunction | null = null;

  constructor(home: Home, all: Things<CodeFunction>, index: number) {
    this.#home = home;
    this.#all = all;
    this.index = index;
    this.address = all.columns.addresses[index]!;
    this.size = all.columns.sizes[index]!;
    this.section = all.sectionOf(index);
  }

  get sized(): boolean {
    return this.#home.sized[this.index] === 1;
  }

  get symbol(): number {
    return this.#all.columns.symbols[this.index]!;
  }

  /** All of them, the one that gives the name first. */
  get #symbols(): number[] {
    return [...(this.#all.columns.aliases.get(this.index) ?? [this.symbol])];
  }

  get name(): string {
    return this.#home.table.name(this.symbol);
  }

  get names(): string[] {
    return this.#symbols.map((index) => this.#home.table.name(index));
  }

  /** Of several names a local one comes last: if that is the first, all are. */
  get file(): string | null {
    return this.#home.table.sourceFile(this.symbol);
  }

  get parent(): CodeFunction | null {
    const parent = this.#home.parents.get(this.index);
    return parent === undefined ? null : this.#all.at(parent);
  }

  get parts(): readonly CodeFunction[] {
    const parts = this.#home.parts.get(this.index);
    return parts === undefined ? NO_PARTS : parts.map((part) => this.#all.at(part));
  }

  /** Rows count from the section's start. */
  get code(): DecodedFunction {
    const start = this.address - this.section.address;
    this.#decoded ??= this.#home.decoder.decode(this.section.bytes, [{ start, size: this.size }])[0]!;
    return this.#decoded;
  }
}

const TYPES = [STT_FUNC, STT_IFUNC];

/** Functions in order of address. Throws ElfError for one that does not lie within its section. */
export function readFunctions(image: ElfImage, names: NameIds): Things<CodeFunction> {
  const { symbolTable: table, sections } = image;
  const has = sectionsWith(table, TYPES);
  const groups = sections
    .filter(
      (section) => isCode(section) && section.bytes.length > 0 && !section.name.startsWith('.plt') && has(section),
    )
    .map((section) => ({ section, group: groupByAddress(table, section, TYPES) }));
  const columns = joinGroups(table, groups);
  const sized = new Uint8Array(columns.symbols.length);
  let at = 0;
  for (const { section, group } of groups) {
    const end = section.address + section.size;
    for (let i = 0; i < group.count; i++, at++) {
      const address = columns.addresses[at]!;
      const known = columns.sizes[at]!;
      sized[at] = known > 0 ? 1 : 0;
      const size = known || (i + 1 < group.count ? columns.addresses[at + 1]! : end) - address;
      columns.sizes[at] = size;
      if (address + size > section.address + section.bytes.length)
        throw new ElfError('SYMBOL', {
          file: image.file,
          place: table.name(columns.symbols[at]!),
          expected: `a function within ${section.name}`,
          found: `0x${address.toString(16)}, size ${size}`,
          advice: 'the file is damaged',
        });
    }
  }
  const { columns: ordered, order } = inOrder(columns);
  const home: Home = {
    ...coldParts(table, ordered, names),
    table,
    decoder: new Decoder(),
    sized: sized.map((_, i) => sized[order[i]!]!),
  };
  return new Things<CodeFunction>(ordered, sections, (index, all) => new SymbolFunction(home, all, index));
}

/** Function and parts: what is replaced together. */
export const unitOf = (fn: CodeFunction): CodeFunction => fn.parent ?? fn;

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
