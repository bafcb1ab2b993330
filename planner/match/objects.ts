// SPDX-License-Identifier: MIT
/**
 * The data objects of one image: what STT_OBJECT symbols name, by address; names at one address are one object. Names are decoded
 * when somebody asks for them.
 */
import type { ElfImage } from '../elf/image.js';
import { isCode, isLinkage, isLoaded, isThreadLocal, type Section } from '../elf/sections.js';
import { firstWhere, STT_OBJECT, type SymbolTable } from '../elf/symbols.js';
import { groupByAddress } from './by-address.js';

export interface DataObject {
  readonly name: string;
  readonly names: readonly string[];
  readonly file: string | null;
  /** Place in the list of all objects of the image. */
  readonly index: number;
  /** Index in .symtab of the symbol that gives the name. */
  readonly symbol: number;
  readonly address: number;
  readonly size: number;
  readonly section: Section;
}

class SymbolObject implements DataObject {
  readonly table: SymbolTable;
  readonly symbols: readonly number[] | number;
  readonly address: number;
  readonly size: number;
  readonly section: Section;
  index = 0;

  constructor(
    table: SymbolTable,
    symbols: readonly number[] | number,
    address: number,
    size: number,
    section: Section,
  ) {
    this.table = table;
    this.symbols = symbols;
    this.address = address;
    this.size = size;
    this.section = section;
  }

  get symbol(): number {
    return typeof this.symbols === 'number' ? this.symbols : this.symbols[0]!;
  }

  get name(): string {
    return this.table.name(this.symbol);
  }

  get names(): string[] {
    if (typeof this.symbols === 'number') return [this.name];
    return this.symbols.map((index) => this.table.name(index)).sort();
  }

  get file(): string | null {
    return this.table.sourceFile(this.symbol);
  }
}

export function readObjects(image: ElfImage): DataObject[] {
  const { symbolTable: table } = image;
  const all: SymbolObject[] = [];
  for (const section of image.sections) {
    if (!isLoaded(section) || isCode(section) || isThreadLocal(section) || isLinkage(section)) continue;
    const end = section.address + section.size;
    const isObject = (symbol: number) =>
      table.sizes[symbol]! > 0 && table.values[symbol]! + table.sizes[symbol]! <= end;
    const { addresses, symbols } = groupByAddress(table, section, [STT_OBJECT]);
    for (let i = 0; i < addresses.length; i++) {
      const named = symbols[i]!;
      if (typeof named === 'number') {
        if (isObject(named)) all.push(new SymbolObject(table, named, addresses[i]!, table.sizes[named]!, section));
        continue;
      }
      const objects = [...named].filter(isObject);
      if (objects.length === 0) continue;
      // a call has room for some ten thousand arguments, an address for more names
      const size = objects.reduce((most, symbol) => Math.max(most, table.sizes[symbol]!), 0);
      all.push(new SymbolObject(table, objects, addresses[i]!, size, section));
    }
  }
  all.sort((a, b) => a.address - b.address);
  for (let i = 0; i < all.length; i++) all[i]!.index = i;
  return all;
}

/** Finds the object that holds an address: the last one that starts at or before it and reaches over it. */
export function objectFinder(objects: readonly DataObject[]): (address: number) => DataObject | null {
  const starts = Float64Array.from(objects, (object) => object.address);
  return (address) => {
    const object = objects[firstWhere(starts.length, (i) => starts[i]! > address) - 1];
    return object !== undefined && address < object.address + object.size ? object : null;
  };
}

/** The last object that starts at or before `address`; `objects` in order of address. */
export function lastBefore(objects: readonly DataObject[], address: number): DataObject | null {
  return objects[firstWhere(objects.length, (i) => objects[i]!.address > address) - 1] ?? null;
}
