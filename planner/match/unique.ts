// SPDX-License-Identifier: MIT
/**
 * The first and by far the longest steps of pairing: names that both files have exactly once, then those that one source file has
 * once on both sides. What the compiler numbers is left out, unless it is closures and both files have the very same; pair.ts knows why.
 */
import type { NameIds } from '../elf/name-ids.js';
import type { SymbolTable } from '../elf/symbols.js';
import { isClosure, isNumbered } from './pair.js';
import type { Columns } from './things.js';

export interface NamedSide {
  readonly things: { readonly length: number; readonly columns: Columns };
  readonly table: SymbolTable;
  /** By symbol: equal numbers for equal names, on both sides. */
  readonly nameIds: Uint32Array;
}

const NONE = -1;
/** Of several things the first, so that it is below NONE; and back. */
const several = (index: number): number => -2 - index;

/** By index of the new one the index of the old one, or -1. */
export function pairUnique(old: NamedSide, now: NamedSide, names: NameIds): Int32Array {
  const [before, after] = [placesOf(old, names.count), placesOf(now, names.count)];
  const signs = names.signs();
  const pairs = new Int32Array(now.things.length).fill(NONE);
  /** Closures that have one name. */
  const namesakes: (readonly [a: number, b: number])[] = [];
  let sameClosures = true;
  const meet = (a: number, b: number) => {
    if (a < 0 || b < 0) {
      sameClosures &&= !isClosure(b === NONE ? nameOf(old, a) : nameOf(now, b));
      return;
    }
    const symbol = now.things.columns.symbols[b]!;
    const name = signs[now.nameIds[symbol]!] === 0 ? null : now.table.name(symbol);
    if (name === null || !isNumbered(name)) pairs[b] = a;
    else if (isClosure(name)) namesakes.push([a, b]);
  };
  const isShared = (id: number) =>
    before[id] !== NONE && after[id] !== NONE && Math.min(before[id]!, after[id]!) < NONE;
  for (let id = 0; id < names.count; id++) {
    const [a, b] = [before[id]!, after[id]!];
    if ((a !== NONE || b !== NONE) && !isShared(id)) meet(a, b);
  }
  const [olds, news] = [placesInFiles(old, names.count, isShared), placesInFiles(now, names.count, isShared)];
  for (const [key, a] of olds) meet(a, news.get(key) ?? NONE);
  for (const [key, b] of news) if (!olds.has(key)) meet(NONE, b);
  if (sameClosures) for (const [a, b] of namesakes) pairs[b] = a;
  return pairs;
}

const nameOf = ({ things, table }: NamedSide, place: number): string =>
  table.name(things.columns.symbols[place < NONE ? several(place) : place]!);

/** By number of a name the one thing that has it. */
function placesOf({ things, nameIds }: NamedSide, names: number): Int32Array {
  const { symbols } = things.columns;
  const place = new Int32Array(names).fill(NONE);
  for (let i = 0; i < symbols.length; i++) {
    const id = nameIds[symbols[i]!]!;
    if (place[id] === NONE) place[id] = i;
    else if (place[id]! >= 0) place[id] = several(place[id]!);
  }
  return place;
}

/** The same by name and source file, for the names that are wanted. */
function placesInFiles(
  { things, table, nameIds }: NamedSide,
  names: number,
  isWanted: (id: number) => boolean,
): Map<number, number> {
  const { symbols } = things.columns;
  const place = new Map<number, number>();
  for (let i = 0; i < symbols.length; i++) {
    const id = nameIds[symbols[i]!]!;
    if (!isWanted(id)) continue;
    const file = table.fileSymbol(symbols[i]!);
    const key = (file < 0 ? 0 : nameIds[file]! + 1) * names + id;
    const known = place.get(key);
    if (known === undefined) place.set(key, i);
    else if (known >= 0) place.set(key, several(known));
  }
  return place;
}
