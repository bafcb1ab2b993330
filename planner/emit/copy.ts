// SPDX-License-Identifier: MIT
/**
 * Copies data of the new file into the patch: constants with their relocations, jump tables, new variables.
 *
 * Each address is copied once. Texts are gathered in one section and are one if they are equal.
 */
import { constantSize, type JumpTable, textAt } from '../compare/constants.js';
import type { Reference } from '../compare/references.js';
import { bytesAt, importOf } from '../elf/image.js';
import { R_X86_64 } from '../elf/relocations.js';
import { isConstant, SHT_NOBITS } from '../elf/sections.js';
import type { CodeFunction } from '../match/functions.js';
import type { DataObject } from '../match/objects.js';
import type { Binder, Place } from './bind.js';
import type { Binding, PatchBuilder } from './builder.js';

const MOST_DATA_ALIGN = 64;
/** Unnamed constants whose address is taken: where they end is not known, so bytes behind them come along. */
const MARGIN = 64;

export class DataCopier {
  readonly #binder: Binder;
  readonly #builder: PatchBuilder;
  readonly #copies = new Map<string, Binding>();

  constructor(binder: Binder, builder: PatchBuilder) {
    this.#binder = binder;
    this.#builder = builder;
  }

  /** A named object: constant, initialised or zero. */
  object(object: DataObject, place: Place): Binding | null {
    const { section, name, address, size } = object;
    const { image } = this.#binder.plan.context.after;
    if (image.relocations.get(address)?.type === R_X86_64.copy)
      return this.#binder.refuse(
        'IMPORT_NEW',
        name,
        `${place.at} needs ${name}, a variable of another object that the old file does not import; reach it through a function`,
      );
    const key = `object ${address}`;
    return this.#once(key, () => {
      const align = Math.min(section.align, alignOf(address, MOST_DATA_ALIGN));
      if (section.type === SHT_NOBITS)
        return {
          symbol: this.#builder.inPatch(name, this.#builder.addBss(`.bss.${name}`, align, size), 0).symbol,
          offset: 0,
        };
      const kind = isConstant(section) ? 'rodata' : 'data';
      return this.#region(key, `.${kind}.${name}`, name, kind, align, address, size, { ...place, at: name });
    });
  }

  constant(reference: Reference, place: Place): Binding | null {
    const { after } = this.#binder.plan.context;
    const { address, loaded } = reference;
    const text = loaded ? null : textAt(after, address);
    const size = constantSize(after, address, loaded);
    if (text !== null && text.length > 1 && size <= text.length + 8) return this.#text(text);
    const key = `constant ${address} ${loaded}`;
    return this.#once(key, () => {
      const align = alignOf(address, MOST_DATA_ALIGN);
      // an operand may be wider than the distance to the next constant if constants overlap
      const room = bytesAt(after.image, address, Math.max(size, MARGIN))?.length ?? size;
      const name = `.rodata.constant.${this.#copies.size}`;
      return this.#region(key, name, name, 'rodata', align, address, room, place);
    });
  }

  /** Entries are distances from the table to code; they become relocations against the code in the patch. */
  jumpTable(address: number, table: JumpTable, fn: CodeFunction, codePlace: (address: number) => Binding): Binding {
    return this.#once(`jump table ${address}`, () => {
      const name = `.rodata.switch.${fn.name}`;
      const section = this.#builder.addSection(name, 'rodata', 4, new Uint8Array(table.targets.length * 4));
      const start = this.#builder.inPatch(`${name}.${this.#copies.size}`, section, 0);
      // R_X86_64_PC32 counts from the entry, the code from the table's start
      table.targets.forEach((target, i) => {
        this.#builder.relocate(section, i * 4, R_X86_64.pc32, codePlace(target), i * 4);
      });
      return start;
    })!;
  }

  /** A slot of the patch's own that holds an address. */
  pointer(to: Binding): Binding {
    return this.#once(`pointer ${to.symbol} ${to.offset}`, () => {
      const name = `.rodata.pointer.${this.#copies.size}`;
      const section = this.#builder.addSection(name, 'rodata', 8, new Uint8Array(8));
      this.#builder.relocate(section, 0, R_X86_64.abs64, to, 0);
      return this.#builder.inPatch(name, section, 0);
    })!;
  }

  #text(text: Uint8Array): Binding {
    const words = Buffer.from(text).toString('latin1');
    return this.#once(`text ${words}`, () => {
      const name = `.rodata.text.${this.#copies.size}`;
      const section = this.#builder.addSection(name, 'rodata', 1, Uint8Array.from(text));
      return this.#builder.inPatch(name, section, 0);
    })!;
  }

  /** Bytes with what the loader fills in; the binding is known before the content is, for data that points at itself. */
  #region(
    key: string,
    section: string,
    symbol: string,
    kind: 'rodata' | 'data',
    align: number,
    address: number,
    size: number,
    place: Place,
  ): Binding {
    const { image } = this.#binder.plan.context.after;
    const bytes = Uint8Array.from(bytesAt(image, address, size) ?? []);
    const index = this.#builder.addSection(section, kind, align, bytes);
    const start = this.#builder.inPatch(symbol, index, 0);
    this.#copies.set(key, start);
    for (let at = 0; at < bytes.length; at++) {
      const relocation = image.relocations.get(address + at);
      if (!relocation || at + 8 > bytes.length) continue;
      const to = this.#filled(relocation, place);
      if (to === null) continue;
      bytes.fill(0, at, at + 8);
      this.#builder.relocate(index, at, R_X86_64.abs64, to, 0);
    }
    return start;
  }

  #filled({ type, addend, symbol }: { type: number; addend: number; symbol: number }, place: Place): Binding | null {
    const { image } = this.#binder.plan.context.after;
    if (type === R_X86_64.relative)
      return this.#binder.bind({ from: null, address: addend, loaded: false }, { ...place, direct: false });
    const { name, version } = importOf(image, symbol);
    const own = image.dynamicSymbols[symbol];
    // a symbol that the object exports itself: it, unless somebody interposed it, which nobody is known to do
    if (type === R_X86_64.abs64 && own !== undefined && own.section !== 0) {
      const to = this.#binder.bind({ from: null, address: own.value, loaded: false }, { ...place, direct: false });
      return to && { symbol: to.symbol, offset: to.offset + addend };
    }
    if (type === R_X86_64.abs64 || type === R_X86_64.globDat) {
      const old = this.#binder.plan.context.before.image;
      if (!old.dynamicSymbols.some((known, i) => known.name === name && old.versions[i] === version))
        return this.#binder.refuse(
          'IMPORT_NEW',
          name,
          `${place.at} needs ${name}, which the old file does not import; use a function that it imports already`,
        );
      const to = this.#builder.imported(name, version);
      return { symbol: to.symbol, offset: addend };
    }
    return this.#binder.refuse(
      'REFERENCE_UNRESOLVED',
      place.at,
      `${place.at} holds a relocation of type ${type}, which a patch cannot carry; initialise it in code`,
    );
  }

  #once(key: string, make: () => Binding | null): Binding | null {
    const known = this.#copies.get(key);
    if (known !== undefined) return known;
    const made = make();
    if (made !== null) this.#copies.set(key, made);
    return made;
  }
}

/** The largest power of two up to `most` that divides `address`. */
export function alignOf(address: number, most: number): number {
  let align = 1;
  while (align < most && address % (align * 2) === 0) align *= 2;
  return align;
}
