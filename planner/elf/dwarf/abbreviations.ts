// SPDX-License-Identifier: MIT
/** .debug_abbrev: what an entry of each kind consists of. Tables are shared by units and read once. */
import { Cursor, FORM } from './forms.js';

export interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  /** Attribute, form, implicit constant, over and over. */
  readonly attributes: readonly number[];
}

export type Abbreviations = ReadonlyMap<number, Abbreviation>;

interface Known {
  readonly tables: Map<number, Abbreviations>;
  /** How often one entry was looked for in a table that was not made. */
  readonly scans: Map<number, number>;
  /** Bytes of the section that were read so far, again and again where tables overlap. */
  read: number;
}

const sections = new WeakMap<Uint8Array, Known>();
/** Tables lie beside each other; units that each have one of their own in the same bytes would take for ever. */
const MOST_READINGS = 8;
/** A unit's first entry is looked for twice; a table that many units share is worth making. */
const MOST_SCANS = 4;

function knownOf(section: Uint8Array): Known {
  const known = sections.get(section) ?? { tables: new Map(), scans: new Map(), read: 0 };
  sections.set(section, known);
  return known;
}

function count(section: Uint8Array, from: number, cursor: Cursor): void {
  const known = knownOf(section);
  known.read += cursor.at - from;
  if (known.read > MOST_READINGS * section.length + 65536) throw new RangeError('abbreviation tables over each other');
}

/** The table at offset `at` of a .debug_abbrev. Throws RangeError if it runs out of the section. */
export function abbreviationsAt(section: Uint8Array, at: number): Abbreviations {
  const { tables } = knownOf(section);
  const table = tables.get(at) ?? readTable(section, at);
  tables.set(at, table);
  return table;
}

/** One entry of the table, without making it: for units of which only the first entry is read. Null if it is not there. */
export function abbreviationIn(section: Uint8Array, at: number, wanted: number): Abbreviation | null {
  const { tables, scans } = knownOf(section);
  const scanned = scans.get(at) ?? 0;
  if (tables.has(at) || scanned >= MOST_SCANS) return abbreviationsAt(section, at).get(wanted) ?? null;
  scans.set(at, scanned + 1);
  const cursor = new Cursor(section, at);
  for (let code = cursor.uleb(); code !== 0; code = cursor.uleb()) {
    if (code === wanted) return readOne(cursor);
    const from = cursor.at;
    cursor.uleb();
    cursor.at++;
    for (;;) {
      const attribute = cursor.uleb();
      const form = cursor.uleb();
      if (form === FORM.implicitConst) cursor.sleb();
      if (attribute === 0 && form === 0) break;
    }
    count(section, from, cursor);
  }
  return null;
}

function readTable(section: Uint8Array, at: number): Abbreviations {
  const table = new Map<number, Abbreviation>();
  const cursor = new Cursor(section, at);
  for (let code = cursor.uleb(); code !== 0; code = cursor.uleb()) table.set(code, readOne(cursor));
  count(section, at, cursor);
  return table;
}

function readOne(cursor: Cursor): Abbreviation {
  const tag = cursor.uleb();
  const hasChildren = cursor.u8() === 1;
  const attributes: number[] = [];
  for (;;) {
    const attribute = cursor.uleb();
    const form = cursor.uleb();
    const implicit = form === FORM.implicitConst ? cursor.sleb() : 0;
    if (attribute === 0 && form === 0) return { tag, hasChildren, attributes };
    attributes.push(attribute, form, implicit);
  }
}
