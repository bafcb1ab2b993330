// SPDX-License-Identifier: MIT
/**
 * The first and by far the longest step of pairing: names that both files have exactly once. What the compiler numbers is left out;
 * pair.ts knows why.
 */
import type { SymbolTable } from '../elf/symbols.js';
import { plainName } from './pair.js';

interface Numbered {
  /** Index in .symtab of the symbol that gives the name. */
  readonly symbol: number;
}

export interface NamedSide<T extends Numbered> {
  readonly things: readonly T[];
  readonly table: SymbolTable;
  /** By symbol: equal numbers for equal names, on both sides. */
  readonly nameIds: Uint32Array;
}

const SEVERAL = -2;
const NONE = -1;
const DOT = 0x2e;

/** Old and new, in the order of the new ones. `names`: how many numbers there are. */
export function pairUnique<T extends Numbered>(old: NamedSide<T>, now: NamedSide<T>, names: number): [T, T][] {
  const places = [old, now].map(({ things, nameIds }) => {
    const place = new Int32Array(names).fill(NONE);
    things.forEach(({ symbol }, i) => {
      const id = nameIds[symbol]!;
      place[id] = place[id] === NONE ? i : SEVERAL;
    });
    return place;
  });
  const pairs: [T, T][] = [];
  now.things.forEach((thing, i) => {
    const id = now.nameIds[thing.symbol]!;
    const before = places[0]![id]!;
    if (before < 0 || places[1]![id] !== i || isNumbered(now.table, thing.symbol)) return;
    pairs.push([old.things[before]!, thing]);
  });
  return pairs;
}

function isNumbered(table: SymbolTable, symbol: number): boolean {
  const { strings } = table;
  for (let i = table.nameOffsets[symbol]!; i < strings.length && strings[i] !== 0; i++) {
    if (strings[i] !== DOT) continue;
    const name = table.name(symbol);
    return plainName(name) !== name;
  }
  return false;
}
