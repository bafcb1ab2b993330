// SPDX-License-Identifier: MIT
/**
 * The first and by far the longest step of pairing: names that both files have exactly once. What the compiler numbers is left out;
 * pair.ts knows why.
 */
import type { NameIds } from '../elf/name-ids.js';
import type { SymbolTable } from '../elf/symbols.js';
import { isMentioned, positionsOf } from './mentions.js';
import { CLOSURES, isNumbered } from './pair.js';
import type { Columns } from './things.js';

export interface NamedSide {
  readonly things: { readonly length: number; readonly columns: Columns };
  readonly table: SymbolTable;
  /** By symbol: equal numbers for equal names, on both sides. */
  readonly nameIds: Uint32Array;
}

const SEVERAL = -2;
const NONE = -1;

/** By index of the new one the index of the old one, or -1. */
export function pairUnique(old: NamedSide, now: NamedSide, names: NameIds): Int32Array {
  const [before, after] = [placesOf(old, names.count), placesOf(now, names.count)];
  const { symbols } = now.things.columns;
  const { nameIds, table } = now;
  const closures = CLOSURES.flatMap((sign) => positionsOf(table.strings, sign)).sort((a, b) => a - b);
  const pairs = new Int32Array(now.things.length).fill(NONE);
  for (let i = 0; i < pairs.length; i++) {
    const id = nameIds[symbols[i]!]!;
    const found = before[id]!;
    if (found < 0 || after[id] !== i) continue;
    const mayBeNumbered = names.hasDot(id) || isMentioned(table, symbols[i]!, closures);
    if (!(mayBeNumbered && isNumbered(table.name(symbols[i]!)))) pairs[i] = found;
  }
  return pairs;
}

/** By number of a name the one thing that has it. */
function placesOf({ things, nameIds }: NamedSide, names: number): Int32Array {
  const { symbols } = things.columns;
  const place = new Int32Array(names).fill(NONE);
  for (let i = 0; i < symbols.length; i++) {
    const id = nameIds[symbols[i]!]!;
    place[id] = place[id] === NONE ? i : SEVERAL;
  }
  return place;
}
