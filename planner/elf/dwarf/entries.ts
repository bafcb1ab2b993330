// SPDX-License-Identifier: MIT
/**
 * The entries of one unit as a tree: types, functions, variables. What nothing here asks for (call sites, labels, template
 * parameters) is passed over with all that it holds.
 */
import { printable } from '../../printable.js';
import { stringAt, viewOf } from '../symbols.js';
import { abbreviationsAt } from './abbreviations.js';
import { Cursor, readForm, type Slice, type Value } from './forms.js';
import { AT, OP, TAG } from './names.js';
import { type Attribute, type Range, rangesAt } from './ranges.js';
import type { Unit } from './units.js';

const WANTED: ReadonlySet<number> = new Set(Object.values(TAG).filter((tag) => tag !== TAG.label));

/** A reference to another entry: its offset, or the signature of a type unit; 0 for none. */
export type Link = number | string;

export class Entry {
  readonly tag: number;
  /** Counted over all sections that are read together. */
  readonly offset: number;
  readonly unit: Unit;
  readonly parent: Entry | null;
  readonly children: Entry[] = [];
  #name: Slice | null = null;
  #linkageName: Slice | null = null;
  type: Link = 0;
  /** What it completes or is an instance of. */
  origin: Link = 0;
  /** What an imported unit imports. */
  imported: Link = 0;
  /** Bytes; -1 if it has none. */
  size = -1;
  /** Of a member its distance from the start in bits; of an enumerator its value. */
  position = 0;
  /** Width of a bit field, else -1. */
  bits = -1;
  /** Of a bit field as DWARF 4 has it, counted from the top of its storage; else -1. */
  bitOffset = -1;
  encoding = 0;
  /** Elements of an array's dimension, or -1. */
  count = -1;
  /** Of a virtual function its place in the table, or -1. */
  slot = -1;
  /** Of a variable with one place in memory, or -1. */
  address = -1;
  declaration = false;
  external = false;
  artificial = false;
  ranges: readonly Range[] = [];

  constructor(tag: number, offset: number, unit: Unit, parent: Entry | null) {
    this.tag = tag;
    this.offset = offset;
    this.unit = unit;
    this.parent = parent;
  }

  get name(): string {
    return textOf(this.#name);
  }
  get linkageName(): string {
    return textOf(this.#linkageName);
  }

  set(attribute: number, value: Exclude<Value, null>): void {
    if (typeof value === 'object') this.#setSlice(attribute, value);
    else if (attribute === AT.type) this.type = value;
    else if (attribute === AT.specification || attribute === AT.abstractOrigin || attribute === AT.signature)
      this.origin = value;
    else if (attribute === AT.import) this.imported = value;
    else if (typeof value === 'number') this.#setNumber(attribute, value);
  }

  #setSlice(attribute: number, value: Slice): void {
    if (attribute === AT.name) this.#name = value;
    else if (attribute === AT.linkageName) this.#linkageName = value;
    else if (value.size <= 0) return;
    else if (attribute === AT.location) this.address = addressIn(value, this.unit);
    else if (attribute === AT.memberLocation) this.position = constantIn(value, OP.plusUconst, 0) * 8;
    else if (attribute === AT.vtableElement) this.slot = constantIn(value, OP.constu, -1);
  }

  #setNumber(attribute: number, value: number): void {
    if (attribute === AT.byteSize) this.size = value;
    else if (attribute === AT.memberLocation) this.position = value * 8;
    else if (attribute === AT.dataBitOffset) this.position = value;
    else if (attribute === AT.constValue) this.position = value;
    else if (attribute === AT.bitSize) this.bits = value;
    else if (attribute === AT.bitOffset) this.bitOffset = value;
    else if (attribute === AT.encoding) this.encoding = value;
    else if (attribute === AT.count) this.count = value;
    else if (attribute === AT.upperBound) this.count = value + 1;
    else if (attribute === AT.declaration) this.declaration = value !== 0;
    else if (attribute === AT.external) this.external = value !== 0;
    else if (attribute === AT.artificial) this.artificial = value !== 0;
  }
}

const textOf = (slice: Slice | null): string => (slice === null ? '' : printable(stringAt(slice.bytes, slice.at)));

/** Operand of an expression of one operation. */
function constantIn({ bytes, at, size }: Slice, operation: number, otherwise: number): number {
  if (bytes[at] !== operation || size < 2) return otherwise;
  return new Cursor(bytes, at + 1).uleb();
}

function addressIn({ bytes, at, size }: Slice, unit: Unit): number {
  if (bytes[at] === OP.addr && size === 9) return Number(viewOf(bytes).getBigUint64(at + 1, true));
  if (bytes[at] !== OP.addrx) return -1;
  const slot = unit.bases.addr + new Cursor(bytes, at + 1).uleb() * unit.addressSize;
  return slot + 8 <= unit.sections.addr.length ? new Cursor(unit.sections.addr, slot).u64() : -1;
}

/** All wanted entries of a unit by their offset; the first is the unit's own. `place.at` follows for messages. */
export function readEntries(unit: Unit, place: { at: number }): Map<number, Entry> {
  const { sections } = unit;
  const table = abbreviationsAt(sections.abbrev, unit.abbrevAt);
  const entries = new Map<number, Entry>();
  const cursor = new Cursor(sections.info, unit.root);
  const parents: (Entry | null)[] = [];
  while (cursor.at < unit.end) {
    const at = cursor.at;
    place.at = at;
    const code = cursor.uleb();
    if (code === 0) {
      parents.pop();
      if (parents.length === 0) break;
      continue;
    }
    const abbreviation = table.get(code);
    if (!abbreviation) throw new RangeError(`abbreviation ${code}`);
    const { tag, attributes, hasChildren } = abbreviation;
    const parent = parents.length === 0 ? null : parents[parents.length - 1]!;
    const wanted = WANTED.has(tag) && (parent !== null || parents.length === 0);
    const entry = wanted ? new Entry(tag, sections.base + at, unit, parent) : null;
    let [low, high, list]: Attribute[] = [];
    for (let i = 0; i < attributes.length; i += 3) {
      const form = attributes[i + 1]!;
      const value = readForm(cursor, form, attributes[i + 2]!, unit, unit.bases);
      if (entry === null || value === null) continue;
      const attribute = attributes[i]!;
      if (attribute === AT.lowPc) low = [value, form];
      else if (attribute === AT.highPc) high = [value, form];
      else if (attribute === AT.ranges) list = [value, form];
      else entry.set(attribute, value);
    }
    if (entry) {
      if (entry.bitOffset >= 0) entry.position += entry.size * 8 - entry.bitOffset - entry.bits;
      if (tag === TAG.subprogram && (list || low)) entry.ranges = rangesAt(unit, list, { low, high });
      entries.set(entry.offset, entry);
      parent?.children.push(entry);
    }
    if (hasChildren) parents.push(entry);
    else if (parents.length === 0) break;
  }
  return entries;
}
