// SPDX-License-Identifier: MIT
/**
 * Names as numbers: equal names of several string tables get one number, so that a hundred thousand of them are compared
 * without decoding any. The numbers count up in the order in which names are met first.
 */
import type { Workspace } from './workspace.js';

/** Words of the table's description and of a row; their layouts are written in assembly/names.ts. */
const NAME_WORDS = 4;
const ROW_WORDS = 4;
const NONE = 0xffffffff;
/** Of what compilers number: a dot; `Ul` or `$_`. */
export const Sign = { dot: 1, closure: 2 } as const;
const LONGEST_WANTED = 4096;

export class NameTable {
  readonly #space: Workspace;
  readonly #table: number;
  readonly #wanted: number;
  #room = 0;

  constructor(space: Workspace) {
    this.#space = space;
    this.#table = space.take(NAME_WORDS * 4);
    this.#wanted = space.take(LONGEST_WANTED);
  }

  get count(): number {
    return this.#words[3]!;
  }

  /** The numbers of the names at these offsets of a string table. */
  numbersOf(strings: Uint8Array, offsets: Uint32Array): Uint32Array {
    const space = this.#space;
    this.#makeRoom(this.count + offsets.length);
    const texts = space.addressOf(strings);
    const at = space.take(offsets.byteLength);
    space.words(at, offsets.length).set(offsets);
    space.core.numberNames(this.#table, texts, strings.length, at, offsets.length);
    return space.words(at, offsets.length).slice();
  }

  /** -1 if it has none. */
  find(name: string): number {
    const bytes = Buffer.from(name);
    if (this.#room === 0 || bytes.length > LONGEST_WANTED) return this.#findLong(bytes);
    new Uint8Array(this.#space.buffer, this.#wanted, bytes.length).set(bytes);
    const found = this.#space.core.findName(this.#table, this.#wanted, bytes.length) >>> 0;
    return found === NONE ? -1 : found;
  }

  /** By number: the signs in the name, as bits. */
  signs(): Uint8Array {
    const [, , rowsAt, count] = this.#words;
    const rows = this.#space.words(rowsAt!, count! * ROW_WORDS);
    const signs = new Uint8Array(count!);
    for (let i = 0; i < signs.length; i++) signs[i] = rows[i * ROW_WORDS + 3]!;
    return signs;
  }

  get #words(): Uint32Array {
    return this.#space.words(this.#table, NAME_WORDS);
  }

  #findLong(bytes: Uint8Array): number {
    if (this.#room === 0) return -1;
    const found = this.#space.core.findName(this.#table, this.#space.addressOf(bytes), bytes.length) >>> 0;
    return found === NONE ? -1 : found;
  }

  #makeRoom(needed: number): void {
    if (needed <= this.#room) return;
    // a second table as long as the first is expected
    const names = this.#room === 0 ? needed * 2 : needed;
    const slots = 2 ** Math.ceil(Math.log2(names * 2 + 2));
    const slotsAt = this.#space.take(slots * 4);
    const rowsAt = this.#space.take(names * ROW_WORDS * 4);
    const [, , rows, count] = this.#words;
    if (count! > 0) new Uint8Array(this.#space.buffer).copyWithin(rowsAt, rows!, rows! + count! * ROW_WORDS * 4);
    this.#words.set([slotsAt, slots - 1, rowsAt, count!]);
    this.#room = names;
    this.#space.core.spreadNames(this.#table);
  }
}
