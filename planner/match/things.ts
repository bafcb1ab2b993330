// SPDX-License-Identifier: MIT
/**
 * Functions or objects of one image in order of address, in columns. A large program has a hundred thousand of them, of which a patch
 * needs ten: an object is made when somebody looks at one, and the same one from then on.
 */

import { countBelow } from '../elf/order.js';
import type { Section } from '../elf/sections.js';

export interface Thing {
  /** Place in the list. */
  readonly index: number;
}

/** By index. */
export interface Columns {
  /** Ascending. */
  readonly addresses: Float64Array;
  readonly sizes: Float64Array;
  /** In .symtab, of the symbol that gives the name. */
  readonly symbols: Uint32Array;
  /** Index of the section. */
  readonly homes: Uint16Array;
  /** Of a thing with several names all its symbols, the one that gives the name first. */
  readonly aliases: ReadonlyMap<number, Uint32Array>;
}

export class Things<T extends Thing> implements Iterable<T> {
  readonly length: number;
  readonly columns: Columns;
  readonly #sections: readonly Section[];
  readonly #make: (index: number, things: Things<T>) => T;
  readonly #made: (T | undefined)[];

  constructor(columns: Columns, sections: readonly Section[], make: (index: number, things: Things<T>) => T) {
    this.length = columns.symbols.length;
    this.columns = columns;
    this.#sections = sections;
    this.#make = make;
    this.#made = new Array(this.length);
  }

  at(index: number): T {
    if (!(index >= 0 && index < this.length)) throw new RangeError(`no thing ${index} among ${this.length}`);
    let made = this.#made[index];
    if (made === undefined) {
      made = this.#make(index, this);
      this.#made[index] = made;
    }
    return made;
  }

  /** Whether `thing` is one of these, and not of another image. */
  has(thing: T): boolean {
    return this.#made[thing.index] === thing;
  }

  sectionOf(index: number): Section {
    return this.#sections[this.columns.homes[index]!]!;
  }

  endOf(index: number): number {
    return this.columns.addresses[index]! + this.columns.sizes[index]!;
  }

  /** Index of the first that starts above `address`. */
  firstAbove(address: number): number {
    return countBelow(this.columns.addresses, address + 1);
  }

  /** Index of the last that starts at or before `address`, if it reaches over it; or -1. */
  indexAt(address: number): number {
    const index = this.firstAbove(address) - 1;
    return index >= 0 && address < this.endOf(index) ? index : -1;
  }

  holding(address: number): T | null {
    const index = this.indexAt(address);
    return index < 0 ? null : this.at(index);
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }

  filter(wanted: (thing: T) => boolean): T[] {
    return [...this].filter(wanted);
  }
}

/** The things at these indices. */
export const pick = <T extends Thing>(things: Things<T>, wanted: (index: number) => boolean): T[] => {
  const found: T[] = [];
  for (let i = 0; i < things.length; i++) if (wanted(i)) found.push(things.at(i));
  return found;
};
