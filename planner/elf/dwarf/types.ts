// SPDX-License-Identifier: MIT
/**
 * The named types of a program from .debug_info: structures with their members, enumerations with their values.
 *
 * One walk over all units. A type that is defined in several units is one type with as many layouts as there are
 * different ones. Types without a name belong to the member or typedef that uses them.
 */
import { inflateSync } from 'node:zlib';
import { ElfError } from '../error.js';
import type { ElfImage } from '../image.js';
import { SHF_COMPRESSED } from '../sections.js';
import { stringAt } from '../symbols.js';
import { Cursor, readForm, type StringSections, type Unit, type Value } from './forms.js';

export interface Member {
  readonly name: string;
  /** Bits from the start. */
  readonly offset: number;
  /** Of a bit field, else null. */
  readonly bits: number | null;
}

export interface Layout {
  readonly kind: 'struct' | 'enum';
  readonly size: number;
  /** For an enumeration `offset` is the value. */
  readonly members: readonly Member[];
}

interface Entry {
  readonly tag: number;
  name: string;
  size: number;
  offset: number;
  bits: number | null;
  type: number;
  declaration: boolean;
  readonly children: Entry[];
}

const TAG = {
  class: 0x02,
  enumeration: 0x04,
  member: 0x0d,
  struct: 0x13,
  typedef: 0x16,
  union: 0x17,
  inheritance: 0x1c,
  enumerator: 0x28,
} as const;
const WANTED: ReadonlySet<number> = new Set(Object.values(TAG));
const AT = {
  name: 0x03,
  byteSize: 0x0b,
  bitSize: 0x0d,
  constValue: 0x1c,
  memberLocation: 0x38,
  declaration: 0x3c,
  type: 0x49,
  dataBitOffset: 0x6b,
} as const;
const DEEPEST = 16;

interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  /** Attribute, form, implicit constant, over and over. */
  readonly attributes: readonly number[];
}

/** Name → different layouts, or null if the file has no debugging information. Throws ElfError if it is damaged. */
export function readTypes(image: ElfImage): Map<string, Layout[]> | null {
  const section = (name: string): Uint8Array => {
    const found = image.sections.find((candidate) => candidate.name === name);
    if (!found) return new Uint8Array(0);
    if ((found.flags & SHF_COMPRESSED) === 0) return found.bytes;
    return new Uint8Array(inflateSync(found.bytes.subarray(24), { maxOutputLength: 1 << 30 }));
  };
  const place = { at: 0 };
  try {
    const info = section('.debug_info');
    if (info.length === 0) return null;
    const strings = { debugStr: section('.debug_str'), debugLineStr: section('.debug_line_str') };
    return collect(readEntries(info, section('.debug_abbrev'), strings, place));
  } catch (cause) {
    if (cause instanceof ElfError) throw cause;
    throw new ElfError('DEBUG', {
      file: image.file,
      place: `.debug_info+0x${place.at.toString(16)}`,
      expected: 'DWARF 4 or 5',
      found: cause instanceof Error ? cause.message : String(cause),
      advice: 'build with -gdwarf-5, or strip it with `strip -g`',
      cause,
    });
  }
}

function readEntries(
  info: Uint8Array,
  abbrevs: Uint8Array,
  strings: StringSections,
  place: { at: number },
): Map<number, Entry> {
  const entries = new Map<number, Entry>();
  const tables = new Map<number, Map<number, Abbreviation>>();
  const cursor = new Cursor(info);
  while (cursor.at + 11 < info.length) {
    const start = cursor.at;
    place.at = start;
    const length = cursor.u32();
    const version = cursor.u16();
    const end = start + 4 + length;
    if (length >= 0xfffffff0 || end > info.length || version < 4 || version > 5)
      throw new RangeError(`a unit of version ${version} and ${length} bytes`);
    const unitType = version === 5 ? cursor.u8() : 1;
    const early = version === 5 ? cursor.u8() : 0;
    const abbrevAt = cursor.u32();
    const addressSize = version === 5 ? early : cursor.u8();
    const unit: Unit = { start, end, version, addressSize };
    // type units and skeletons have longer headers; gcc and clang make them only on request
    if (unitType !== 1 && unitType !== 3) throw new RangeError(`a unit of type ${unitType}`);
    let table = tables.get(abbrevAt);
    if (!table) {
      table = readAbbreviations(abbrevs, abbrevAt);
      tables.set(abbrevAt, table);
    }
    readUnit(cursor, unit, table, strings, entries);
    cursor.at = end;
  }
  return entries;
}

function readAbbreviations(bytes: Uint8Array, at: number): Map<number, Abbreviation> {
  const table = new Map<number, Abbreviation>();
  const cursor = new Cursor(bytes, at);
  for (;;) {
    const code = cursor.uleb();
    if (code === 0) return table;
    const tag = cursor.uleb();
    const hasChildren = cursor.u8() === 1;
    const attributes: number[] = [];
    for (;;) {
      const attribute = cursor.uleb();
      const form = cursor.uleb();
      const implicit = form === 0x21 ? cursor.sleb() : 0;
      if (attribute === 0 && form === 0) break;
      attributes.push(attribute, form, implicit);
    }
    table.set(code, { tag, hasChildren, attributes });
  }
}

function readUnit(
  cursor: Cursor,
  unit: Unit,
  table: ReadonlyMap<number, Abbreviation>,
  strings: StringSections,
  entries: Map<number, Entry>,
): void {
  const parents: (Entry | null)[] = [];
  while (cursor.at < unit.end) {
    const offset = cursor.at;
    const code = cursor.uleb();
    if (code === 0) {
      parents.pop();
      if (parents.length === 0) return;
      continue;
    }
    const abbreviation = table.get(code);
    if (!abbreviation) throw new RangeError(`abbreviation ${code} at 0x${offset.toString(16)}`);
    const wanted = WANTED.has(abbreviation.tag);
    const entry: Entry | null = wanted
      ? { tag: abbreviation.tag, name: '', size: 0, offset: 0, bits: null, type: 0, declaration: false, children: [] }
      : null;
    const { attributes } = abbreviation;
    for (let i = 0; i < attributes.length; i += 3) {
      const value = readForm(cursor, attributes[i + 1]!, attributes[i + 2]!, unit, strings);
      if (entry && value !== null) setAttribute(entry, attributes[i]!, value);
    }
    if (entry) {
      entries.set(offset, entry);
      parents[parents.length - 1]?.children.push(entry);
    }
    if (abbreviation.hasChildren) parents.push(entry);
    else if (parents.length === 0) return;
  }
}

function setAttribute(entry: Entry, attribute: number, value: Exclude<Value, null>): void {
  if (typeof value === 'object') {
    if (attribute === AT.name) entry.name = stringAt(value.in, value.at);
    return;
  }
  if (attribute === AT.byteSize) entry.size = value;
  else if (attribute === AT.memberLocation) entry.offset = value * 8;
  else if (attribute === AT.dataBitOffset) entry.offset = value;
  else if (attribute === AT.constValue) entry.offset = value;
  else if (attribute === AT.bitSize) entry.bits = value;
  else if (attribute === AT.type) entry.type = value;
  else if (attribute === AT.declaration) entry.declaration = value !== 0;
}

const isStructure = ({ tag }: Entry): boolean => tag === TAG.struct || tag === TAG.class || tag === TAG.union;

function collect(entries: ReadonlyMap<number, Entry>): Map<string, Layout[]> {
  const types = new Map<string, Layout[]>();
  const seen = new Set<string>();
  const add = (name: string, entry: Entry) => {
    const layout = layoutOf(entry, entries);
    const key = `${name} ${JSON.stringify(layout)}`;
    if (seen.has(key)) return;
    seen.add(key);
    types.set(name, [...(types.get(name) ?? []), layout]);
  };
  const words: Record<number, string> = {
    [TAG.struct]: 'struct',
    [TAG.class]: 'class',
    [TAG.union]: 'union',
    [TAG.enumeration]: 'enum',
  };
  for (const entry of entries.values()) {
    const word = words[entry.tag];
    if (word !== undefined && entry.name !== '' && !entry.declaration) add(`${word} ${entry.name}`, entry);
    if (entry.tag !== TAG.typedef) continue;
    const named = entries.get(entry.type);
    if (named && words[named.tag] !== undefined && named.name === '' && !named.declaration) add(entry.name, named);
  }
  return types;
}

function layoutOf(entry: Entry, entries: ReadonlyMap<number, Entry>): Layout {
  if (entry.tag === TAG.enumeration) {
    const members = entry.children.filter(({ tag }) => tag === TAG.enumerator);
    return {
      kind: 'enum',
      size: entry.size,
      members: members.map(({ name, offset }) => ({ name, offset, bits: null })),
    };
  }
  return { kind: 'struct', size: entry.size, members: membersOf(entry, entries, '', 0, 0) };
}

/** Members with those of nameless inner structures, as C sees them: `u.name`, or just `name`. */
function membersOf(
  entry: Entry,
  entries: ReadonlyMap<number, Entry>,
  prefix: string,
  base: number,
  depth: number,
): Member[] {
  const members: Member[] = [];
  for (const child of entry.children) {
    if (child.tag !== TAG.member && child.tag !== TAG.inheritance) continue;
    const name = prefix + (child.tag === TAG.inheritance ? '<base>' : child.name);
    members.push({ name, offset: base + child.offset, bits: child.bits });
    const inner = entries.get(child.type);
    if (inner && isStructure(inner) && inner.name === '' && depth < DEEPEST) {
      const dot = child.name === '' ? prefix : `${name}.`;
      members.push(...membersOf(inner, entries, dot, base + child.offset, depth + 1));
    }
  }
  return members;
}
