// SPDX-License-Identifier: MIT
/** Symbol tables, with what tells same-named symbols apart: the source file of a local symbol, the version of an import. */
import { isPrintable, printable } from '../printable.js';
import { ElfError } from './error.js';
import { placeOf, type Section } from './sections.js';

export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;
export const STT_SECTION = 3;
export const STT_FILE = 4;
export const STT_TLS = 6;
export const STT_IFUNC = 10;
export const STB_LOCAL = 0;
export const STB_GLOBAL = 1;
export const STB_WEAK = 2;
export const SHN_ABS = 0xfff1;

export interface ElfSymbol {
  readonly name: string;
  readonly value: number;
  readonly size: number;
  readonly type: number;
  readonly bind: number;
  /** Section index; 0 is undefined, 0xfff1 absolute. */
  readonly section: number;
  /** STT_FILE of a local symbol. */
  readonly file: string | null;
}

const ENTRY = 24;
const SHT_GNU_VERSYM = 0x6fffffff;
const SHT_GNU_VERNEED = 0x6ffffffe;

/**
 * A symbol table in columns, by index; the empty first entry included, so that indices are the file's. A large program has some
 * hundred thousand symbols, and most are never asked for by name: names are decoded when they are.
 */
export class SymbolTable {
  readonly count: number;
  /** st_value and st_size; zero for absolute symbols whose value is no address. */
  readonly values: Float64Array;
  readonly sizes: Float64Array;
  /** bind << 4 | type */
  readonly infos: Uint8Array;
  readonly sectionIndices: Uint16Array;
  /** Offsets of names in `strings`. */
  readonly nameOffsets: Uint32Array;
  readonly strings: Uint8Array;
  /** Indices of STT_FILE symbols, ascending. */
  readonly #files: number[] = [];
  /** The one that was asked for last, and the one behind it. */
  #file = -1;
  #nextFile = 0;
  #all: ElfSymbol[] | null = null;

  constructor(file: string, table: Section | null, strings: Uint8Array) {
    const bytes = table?.bytes ?? new Uint8Array(0);
    const view = viewOf(bytes);
    const plain = isPlain(strings);
    this.strings = strings;
    this.count = bytes.length / ENTRY;
    this.values = new Float64Array(this.count);
    this.sizes = new Float64Array(this.count);
    this.infos = new Uint8Array(this.count);
    this.sectionIndices = new Uint16Array(this.count);
    this.nameOffsets = new Uint32Array(this.count);
    for (let i = 0, at = 0; i < this.count; i++, at += ENTRY) {
      this.nameOffsets[i] = view.getUint32(at, true);
      this.infos[i] = bytes[at + 4]!;
      if (!plain && !isPrintable(this.name(i)))
        throw new ElfError('SYMBOL', {
          file,
          place: `${table!.name} entry ${i}`,
          expected: 'a name without control characters',
          found: printable(this.name(i)),
          advice: 'rename it',
        });
      const section = view.getUint16(at + 6, true);
      this.sectionIndices[i] = section;
      // below 2^47: the upper halves have fifteen bits
      const valueHigh = view.getUint32(at + 12, true);
      const sizeHigh = view.getUint32(at + 20, true);
      if (valueHigh < 0x8000 && sizeHigh < 0x8000) {
        this.values[i] = view.getUint32(at + 8, true) + valueHigh * 2 ** 32;
        this.sizes[i] = view.getUint32(at + 16, true) + sizeHigh * 2 ** 32;
      } else if (section !== SHN_ABS)
        throw new ElfError('SYMBOL', {
          file,
          place: `${table!.name} entry ${i} (${this.name(i)})`,
          expected: 'a value and a size below 2^47',
          found: `value 0x${view.getBigUint64(at + 8, true).toString(16)}, size 0x${view.getBigUint64(at + 16, true).toString(16)}`,
          advice: 'the file is damaged',
        });
      if ((bytes[at + 4]! & 15) === STT_FILE) this.#files.push(i);
    }
  }

  name(index: number): string {
    return stringAt(this.strings, this.nameOffsets[index]!);
  }

  /** STT_FILE of a local symbol: the last before it. */
  sourceFile(index: number): string | null {
    const file = this.fileSymbol(index);
    return file < 0 ? null : this.name(file);
  }

  /** Index of the STT_FILE of a local symbol; -1 if there is none that has a name. */
  fileSymbol(index: number): number {
    if (this.infos[index]! >> 4 !== STB_LOCAL) return -1;
    // asked for many symbols of one file in a row
    if (index < this.#file || index >= this.#nextFile) {
      const after = firstWhere(this.#files.length, (i) => this.#files[i]! > index);
      this.#file = this.#files[after - 1] ?? -1;
      this.#nextFile = this.#files[after] ?? this.count;
    }
    return this.#file < 0 || this.strings[this.nameOffsets[this.#file]!] === 0 ? -1 : this.#file;
  }

  at(index: number): ElfSymbol {
    const info = this.infos[index]!;
    return {
      name: this.name(index),
      value: this.values[index]!,
      size: this.sizes[index]!,
      type: info & 15,
      bind: info >> 4,
      section: this.sectionIndices[index]!,
      file: this.sourceFile(index),
    };
  }

  /** Those of one type, such as STT_TLS. */
  ofType(type: number): ElfSymbol[] {
    const found: ElfSymbol[] = [];
    for (let i = 0; i < this.count; i++) if ((this.infos[i]! & 15) === type) found.push(this.at(i));
    return found;
  }

  /** Every symbol as an object of its own: some hundred megabytes for a large program. */
  get all(): readonly ElfSymbol[] {
    this.#all ??= Array.from({ length: this.count }, (_, i) => this.at(i));
    return this.#all;
  }
}

/** A symbol table section; an empty table for null. */
export function readSymbols(file: string, sections: readonly Section[], table: Section | null): SymbolTable {
  if (table === null) return new SymbolTable(file, null, new Uint8Array(0));
  const strings = sections[table.link];
  if (strings === undefined || strings.type !== 3 || table.size % ENTRY !== 0 || table.bytes.length !== table.size)
    throw new ElfError('SECTION', {
      file,
      place: placeOf(table),
      expected: `entries of ${ENTRY} bytes and a link to a string table`,
      found: `${table.size} bytes, link ${table.link}`,
      advice: 'the file is damaged',
    });
  return new SymbolTable(file, table, strings.bytes);
}

/** True for printable ASCII and NULs alone, as nearly every string table is. Four bytes at once. */
function isPlain(bytes: Uint8Array): boolean {
  const head = Math.min(bytes.length, (4 - (bytes.byteOffset % 4)) % 4);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + head, (bytes.length - head) >> 2);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    // a byte above 0x7e shows in its highest bit, after adding one; one below 0x20 after taking 0x20 away, and so may its neighbour
    if (((word | (word + 0x01010101)) & 0x80808080) !== 0) return false;
    if (((word - 0x20202020) & 0x80808080) === 0) continue;
    for (let shift = 0; shift < 32; shift += 8) if (!isPlainByte((word >>> shift) & 0xff)) return false;
  }
  for (let i = 0; i < head; i++) if (!isPlainByte(bytes[i]!)) return false;
  for (let i = head + words.length * 4; i < bytes.length; i++) if (!isPlainByte(bytes[i]!)) return false;
  return true;
}

const isPlainByte = (byte: number): boolean => byte === 0 || (byte >= 0x20 && byte <= 0x7e);

/** Version name of every dynamic symbol, by index; null for none. */
export function readVersions(sections: readonly Section[], count: number): (string | null)[] {
  const needs = versionNeeds(sections);
  return versionNumbers(sections, count).map((number) => needs.get(number)?.name ?? null);
}

/** Number in .gnu.version of every dynamic symbol, by index; 0 for none. */
export function versionNumbers(sections: readonly Section[], count: number): number[] {
  const numbers: number[] = new Array(count).fill(0);
  const versym = sections.find((section) => section.type === SHT_GNU_VERSYM);
  if (!versym) return numbers;
  const view = viewOf(versym.bytes);
  for (let i = 0; i < count && i * 2 + 2 <= versym.bytes.length; i++) numbers[i] = view.getUint16(i * 2, true) & 0x7fff;
  return numbers;
}

/** What the numbers mean: the version's name, and the library that is to have it. */
export function versionNeeds(sections: readonly Section[]): Map<number, { name: string; library: string }> {
  const needs = new Map<number, { name: string; library: string }>();
  const verneed = sections.find((section) => section.type === SHT_GNU_VERNEED);
  const strings = verneed && sections[verneed.link];
  if (!verneed || !strings) return needs;
  const view = viewOf(verneed.bytes);
  const fits = (at: number) => at >= 0 && at + 16 <= verneed.bytes.length;
  // chains in a damaged file may run in circles: the section has room for only so many entries
  let budget = verneed.bytes.length / 16;
  for (let need = 0; fits(need) && budget-- > 0; ) {
    const library = stringAt(strings.bytes, view.getUint32(need + 4, true));
    let aux = need + view.getUint32(need + 8, true);
    for (let left = view.getUint16(need + 2, true); left > 0 && fits(aux) && budget-- > 0; left--) {
      const name = printable(stringAt(strings.bytes, view.getUint32(aux + 8, true)));
      needs.set(view.getUint16(aux + 6, true), { name, library });
      aux += view.getUint32(aux + 12, true);
    }
    const next = view.getUint32(need + 12, true);
    if (next === 0) break;
    need += next;
  }
  return needs;
}

export function stringAt(bytes: Uint8Array, at: number): string {
  if (at >= bytes.length) return '';
  const end = bytes.indexOf(0, at);
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, (end < 0 ? bytes.length : end) - at).toString('utf8');
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The first of `count` indices for which `holds` is true, which it must stay from there on; `count` if there is none. */
export function firstWhere(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
