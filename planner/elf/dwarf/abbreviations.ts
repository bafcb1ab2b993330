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

const tables = new WeakMap<Uint8Array, Map<number, Abbreviations>>();

/** The table at offset `at` of a .debug_abbrev. Throws RangeError if it runs out of the section. */
export function abbreviationsAt(section: Uint8Array, at: number): Abbreviations {
  const known = tables.get(section) ?? new Map<number, Abbreviations>();
  tables.set(section, known);
  const table = known.get(at) ?? readTable(section, at);
  known.set(at, table);
  return table;
}

/** One entry of the table, without making it: for units of which only the first entry is read. Null if it is not there. */
export function abbreviationIn(section: Uint8Array, at: number, wanted: number): Abbreviation | null {
  const known = tables.get(section)?.get(at)?.get(wanted);
  if (known) return known;
  const cursor = new Cursor(section, at);
  for (let code = cursor.uleb(); code !== 0; code = cursor.uleb()) {
    if (code === wanted) return readOne(cursor);
    cursor.uleb();
    cursor.at++;
    for (;;) {
      const attribute = cursor.uleb();
      const form = cursor.uleb();
      if (form === FORM.implicitConst) cursor.sleb();
      if (attribute === 0 && form === 0) break;
    }
  }
  return null;
}

function readTable(section: Uint8Array, at: number): Abbreviations {
  const table = new Map<number, Abbreviation>();
  const cursor = new Cursor(section, at);
  for (let code = cursor.uleb(); code !== 0; code = cursor.uleb()) table.set(code, readOne(cursor));
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
