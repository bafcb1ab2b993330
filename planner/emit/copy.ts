// SPDX-License-Identifier: MIT
/**
 * Copies data of the new file into the patch: constants with their relocations, jump tables, new variables.
 *
 * Each address is copied once. Texts are gathered in one section and are one if they are equal.
 */
import { constantSize, type JumpTable } from '../compare/constants.js';
import type { DistanceTable } from '../compare/distance-tables.js';
import type { Reference } from '../compare/references.js';
import { bytesAt, isCopied, sectionAt } from '../elf/image.js';
import { R_X86_64 } from '../elf/relocations.js';
import { isConstant, isWritable, SHT_NOBITS } from '../elf/sections.js';
import type { DataObject } from '../match/objects.js';
import { neighbours } from './ambiguous.js';
import type { Binder, Place } from './bind.js';
import type { Binding, PatchBuilder } from './builder.js';
import { type Piece, pieceOf, wholeText } from './pieces.js';

const MOST_DATA_ALIGN = 64;
/** Unnamed constants whose address is taken: where they end is not known, so bytes behind them come along. */
const MARGIN = 64;

export class DataCopier {
  readonly #binder: Binder;
  readonly #builder: PatchBuilder;
  readonly #copies = new Map<string, Binding>();
  /** Boundaries whose objects are being copied. */
  readonly #unfinished = new Set<string>();

  constructor(binder: Binder, builder: PatchBuilder) {
    this.#binder = binder;
    this.#builder = builder;
  }

  /** A named object: constant, initialised or zero. New variables that touch it come along with it. */
  object(object: DataObject, place: Place): Binding | null {
    const { after } = this.#binder.plan.context;
    const key = `object ${object.address}`;
    return this.#once(key, () => {
      const wanted = (other: DataObject) => !isConstant(other.section) && this.#isNew(other);
      this.#run(neighbours(after, object, wanted), 0, place);
      return this.#copies.get(key)!;
    });
  }

  /** Where `ended` ends and something else starts, of which neither is in the old file, or both are constants. */
  boundary(ended: DataObject, place: Place): Binding | null {
    const { after } = this.#binder.plan.context;
    const address = ended.address + ended.size;
    const key = `end ${address}`;
    const placed = () => {
      const start = this.#copies.get(`object ${ended.address}`);
      return start === undefined ? null : { symbol: start.symbol, offset: start.offset + ended.size };
    };
    // what is being copied may lead here again: it has its place, if not yet its content
    if (this.#unfinished.has(key)) return placed();
    return this.#once(key, () => {
      this.#unfinished.add(key);
      const next = after.objectAt(address);
      if (!isConstant(ended.section)) this.object(ended, place);
      else this.#run(next === null ? [ended] : [ended, next], next === null ? MARGIN : 0, place);
      this.#unfinished.delete(key);
      return placed();
    });
  }

  #isNew(object: DataObject): boolean {
    return (
      !this.#binder.plan.context.objects.oldOf.has(object) &&
      !isCopied(this.#binder.plan.context.after.image, object.address)
    );
  }

  /** Copies objects that touch each other, and `more` bytes behind them, as one section. */
  #run(run: readonly DataObject[], more: number, place: Place): void {
    const [first, last] = [run[0]!, run.at(-1)!];
    const { section, name, address } = first;
    const align = Math.min(section.align, alignOf(address, MOST_DATA_ALIGN));
    const size = last.address + last.size - address;
    const members = (index: number) => {
      for (const one of run)
        this.#copies.set(`object ${one.address}`, this.#builder.inPatch(one.name, index, one.address - address));
    };
    if (section.type === SHT_NOBITS) members(this.#builder.addBss(`.bss.${name}`, align, size));
    else {
      const kind = isConstant(section) ? 'rodata' : 'data';
      this.#region(`.${kind}.${name}`, kind, align, address, size + more, { ...place, at: name }, members);
    }
  }

  /** An unnamed constant, with all that may be one with it. */
  constant(reference: Reference, place: Place): Binding | null {
    const { from, address, loaded } = reference;
    const { after } = this.#binder.plan.context;
    const piece = (from === null ? null : pieceOf(after, from, address)) ??
      (loaded ? null : wholeText(after, address)) ?? {
        start: address,
        end: address + constantSize(after, reference),
        text: false,
      };
    const copy = piece.text ? this.#text(piece) : this.#piece(piece, place);
    return copy && { symbol: copy.symbol, offset: copy.offset + address - piece.start };
  }

  #piece({ start, end }: Piece, place: Place): Binding | null {
    const { after } = this.#binder.plan.context;
    const key = `constant ${start} ${end}`;
    return this.#once(key, () => {
      const size = this.#withMargin(start, end) - start;
      const kind = isWritable(sectionAt(after.image, start)!) ? 'data' : 'rodata';
      const name = `.${kind}.constant.${this.#copies.size}`;
      this.#region(name, kind, alignOf(start, MOST_DATA_ALIGN), start, size, place, (index) => {
        this.#copies.set(key, this.#builder.inPatch(name, index, 0));
      });
      return this.#copies.get(key)!;
    });
  }

  /** Constants may overlap, so an operand may be wider than the distance to the next one. */
  #withMargin(start: number, end: number): number {
    const { after } = this.#binder.plan.context;
    let last = end;
    const free = (at: number) => after.objectAt(at) === null && !after.image.relocations.has(at);
    while (last < start + MARGIN && free(last)) last++;
    return last;
  }

  /** Entries are distances from the table to code or constants; they become relocations against what these are in the patch. */
  table(
    address: number,
    { targets }: JumpTable | DistanceTable,
    user: string,
    bind: (address: number) => Binding | null,
  ): Binding {
    return this.#once(`table ${address}`, () => {
      const name = `.rodata.switch.${user}`;
      const section = this.#builder.addSection(name, 'rodata', 4, new Uint8Array(targets.length * 4));
      const start = this.#builder.inPatch(`${name}.${this.#copies.size}`, section, 0);
      // R_X86_64_PC32 counts from the entry, the code from the table's start
      targets.forEach((target, i) => {
        const to = bind(target);
        if (to !== null) this.#builder.relocate(section, i * 4, R_X86_64.pc32, to, i * 4);
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

  #text({ start, end }: Piece): Binding | null {
    const text = bytesAt(this.#binder.plan.context.after.image, start, end - start)!;
    const words = Buffer.from(text).toString('latin1');
    return this.#once(`text ${words}`, () => {
      const name = `.rodata.text.${this.#copies.size}`;
      const section = this.#builder.addSection(name, 'rodata', 1, Uint8Array.from(text));
      return this.#builder.inPatch(name, section, 0);
    });
  }

  /** Bytes with what the loader fills in; `known` is told the section before that, for data that points at itself. */
  #region(
    section: string,
    kind: 'rodata' | 'data',
    align: number,
    address: number,
    size: number,
    place: Place,
    known: (index: number) => void,
  ): void {
    const { image } = this.#binder.plan.context.after;
    const bytes = Uint8Array.from(bytesAt(image, address, size) ?? []);
    const index = this.#builder.addSection(section, kind, align, bytes);
    known(index);
    for (let at = 0; at < bytes.length; at++) {
      const relocation = image.relocations.get(address + at);
      if (!relocation || at + 8 > bytes.length) continue;
      const to = this.#filled(relocation, place);
      if (to === null) continue;
      bytes.fill(0, at, at + 8);
      this.#builder.relocate(index, at, R_X86_64.abs64, to, 0);
    }
  }

  #filled(
    { type, addend, symbol }: { type: number; addend: number; symbol: number },
    { at, fn }: Place,
  ): Binding | null {
    const place: Place = { at, fn, direct: false, takes: 'pointer' };
    if (type === R_X86_64.relative) return this.#binder.bind({ from: null, address: addend, loaded: false }, place);
    if (type === R_X86_64.abs64 || type === R_X86_64.globDat) return this.#binder.named.value(symbol, addend, place);
    return this.#binder.refuse(
      'REFERENCE_UNRESOLVED',
      at,
      `${at} holds a relocation of type ${type}, which a patch cannot carry; initialise it in code`,
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
