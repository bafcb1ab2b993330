// SPDX-License-Identifier: MIT
/** Symbol tables, with what tells same-named symbols apart: the source file of a local symbol, the version of an import. */
import { isPrintable, printable } from '../printable.js';
import { ElfError } from './error.js';
import type { Section } from './sections.js';

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

/** All entries of a symbol table section, the empty first one included, so that indices stay as they are. */
export function readSymbols(file: string, sections: readonly Section[], table: Section): ElfSymbol[] {
  const strings = sections[table.link];
  if (strings === undefined || strings.type !== 3 || table.size % ENTRY !== 0 || table.bytes.length !== table.size)
    throw new ElfError('SECTION', {
      file,
      place: table.name,
      expected: `entries of ${ENTRY} bytes and a link to a string table`,
      found: `${table.size} bytes, link ${table.link}`,
      advice: 'the file is damaged',
    });
  const view = viewOf(table.bytes);
  const plain = isPlain(strings.bytes);
  const symbols: ElfSymbol[] = [];
  let source: string | null = null;
  for (let at = 0; at < table.size; at += ENTRY) {
    const info = view.getUint8(at + 4);
    const type = info & 15;
    const bind = info >> 4;
    const name = stringAt(strings.bytes, view.getUint32(at, true));
    const value = view.getBigUint64(at + 8, true);
    const size = view.getBigUint64(at + 16, true);
    const section = view.getUint16(at + 6, true);
    if (!plain && !isPrintable(name))
      throw new ElfError('SYMBOL', {
        file,
        place: `${table.name} entry ${at / ENTRY}`,
        expected: 'a name without control characters',
        found: printable(name),
        advice: 'rename it',
      });
    const sane = value < 1n << 47n && size < 1n << 47n;
    if (!sane && section !== SHN_ABS)
      throw new ElfError('SYMBOL', {
        file,
        place: `${table.name} entry ${at / ENTRY} (${name})`,
        expected: 'a value and a size below 2^47',
        found: `value 0x${value.toString(16)}, size 0x${size.toString(16)}`,
        advice: 'the file is damaged',
      });
    if (type === STT_FILE) source = name || null;
    symbols.push({
      name,
      value: sane ? Number(value) : 0,
      size: sane ? Number(size) : 0,
      type,
      bind,
      section,
      file: bind === STB_LOCAL ? source : null,
    });
  }
  return symbols;
}

/** True for printable ASCII and NULs alone, as nearly every string table is. */
function isPlain(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if ((byte < 0x20 && byte !== 0) || byte > 0x7e) return false;
  }
  return true;
}

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
      const name = stringAt(strings.bytes, view.getUint32(aux + 8, true));
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
