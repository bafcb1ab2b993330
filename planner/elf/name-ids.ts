// SPDX-License-Identifier: MIT
/** The names of symbol tables as numbers (core/names.ts), by index of the symbol. */
import { NameTable } from '../core/names.js';
import { Workspace } from '../core/workspace.js';
import type { SymbolTable } from './symbols.js';

export class NameIds {
  readonly #names: NameTable;
  readonly #known = new Map<SymbolTable, Uint32Array>();

  constructor(space: Workspace = Workspace.empty()) {
    this.#names = new NameTable(space);
  }

  get count(): number {
    return this.#names.count;
  }

  /** The number of each symbol's name, by index. */
  of(table: SymbolTable): Uint32Array {
    let ids = this.#known.get(table);
    if (ids === undefined) {
      ids = this.#names.numbersOf(table.strings, table.nameOffsets);
      this.#known.set(table, ids);
    }
    return ids;
  }

  /** The number of a name that some table has; -1 if none does. */
  find(name: string): number {
    return this.#names.find(name);
  }

  /** By number: the signs in the name (core/names.ts), 0 for none. */
  signs(): Uint8Array {
    return this.#names.signs();
  }
}
