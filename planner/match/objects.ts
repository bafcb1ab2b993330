// SPDX-License-Identifier: MIT
/**
 * The data objects of one image: what STT_OBJECT symbols name, by address; names at one address are one object. Names are decoded
 * when somebody asks for them.
 */
import type { ElfImage } from '../elf/image.js';
import { isCode, isLinkage, isLoaded, isThreadLocal, type Section } from '../elf/sections.js';
import { STT_OBJECT, type SymbolTable } from '../elf/symbols.js';
import { type Grouped, groupByAddress, sectionsWith } from './by-address.js';
import { inOrder, joinGroups } from './columns.js';
import { Things } from './things.js';

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
  readonly index: number;
  readonly address: number;
  readonly size: number;
  readonly section: Section;
  readonly #table: SymbolTable;
  readonly #all: Things<DataObject>;

  constructor(table: SymbolTable, all: Things<DataObject>, index: number) {
    this.#table = table;
    this.#all = all;
    this.index = index;
    this.address = all.columns.addresses[index]!;
    this.size = all.columns.sizes[index]!;
    this.section = all.sectionOf(index);
  }

  get symbol(): number {
    return this.#all.columns.symbols[this.index]!;
  }

  get name(): string {
    return this.#table.name(this.symbol);
  }

  get names(): string[] {
    const all = this.#all.columns.aliases.get(this.index);
    return all === undefined ? [this.name] : Array.from(all, (index) => this.#table.name(index)).sort();
  }

  get file(): string | null {
    return this.#table.sourceFile(this.symbol);
  }
}

export function readObjects(image: ElfImage): Things<DataObject> {
  const { symbolTable: table, sections } = image;
  const has = sectionsWith(table, [STT_OBJECT]);
  const groups = sections
    .filter((section) => isLoaded(section) && !isCode(section) && !isThreadLocal(section) && !isLinkage(section))
    .filter(has)
    .map((section) => ({ section, group: onlySized(table, section, groupByAddress(table, section, [STT_OBJECT])) }));
  const { columns } = inOrder(joinGroups(table, groups));
  return new Things<DataObject>(columns, sections, (index, all) => new SymbolObject(table, all, index));
}

/** Without the symbols that have no size, or reach beyond their section. */
function onlySized({ sizes, values }: SymbolTable, section: Section, group: Grouped): Grouped {
  const end = section.address + section.size;
  const isObject = (symbol: number) => sizes[symbol]! > 0 && values[symbol]! + sizes[symbol]! <= end;
  const symbols = new Uint32Array(group.count);
  const aliases = new Map<number, Uint32Array>();
  let count = 0;
  for (let i = 0; i < group.count; i++) {
    const all = group.aliases.get(i)?.filter(isObject);
    if (all && all.length > 0) {
      aliases.set(count, all);
      symbols[count++] = all[0]!;
    } else if (!all && isObject(group.symbols[i]!)) symbols[count++] = group.symbols[i]!;
  }
  return { count, symbols, aliases };
}
