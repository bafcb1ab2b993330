// SPDX-License-Identifier: MIT
/** The symbols of some types in one section, by address: several names for one address are one thing. */

import { orderOf } from '../elf/order.js';
import type { Section } from '../elf/sections.js';
import { STB_GLOBAL, STB_LOCAL, type SymbolTable } from '../elf/symbols.js';

export interface Grouped {
  readonly count: number;
  /** Index in the symbol table of the one that gives the name, by ascending address. */
  readonly symbols: Uint32Array;
  /** Where there are several all of them, the one that gives the name first. */
  readonly aliases: Map<number, Uint32Array>;
}

/** Symbols that lie outside of the section that they name are left out. */
export function groupByAddress(table: SymbolTable, section: Section, types: readonly number[]): Grouped {
  const chosen = sortedByAddress(table, section, types);
  const symbols = new Uint32Array(chosen.length);
  const aliases = new Map<number, Uint32Array>();
  const { values } = table;
  let count = 0;
  for (let i = 0; i < chosen.length; count++) {
    const address = values[chosen[i]!]!;
    let end = i + 1;
    while (end < chosen.length && values[chosen[end]!] === address) end++;
    if (end > i + 1)
      aliases.set(
        count,
        chosen.slice(i, end).sort((a, b) => byRank(table, a, b)),
      );
    symbols[count] = aliases.get(count)?.[0] ?? chosen[i]!;
    i = end;
  }
  return { count, symbols, aliases };
}

function sortedByAddress(table: SymbolTable, section: Section, types: readonly number[]): Uint32Array {
  const wanted = types.reduce((set, type) => set | (1 << type), 0);
  const end = section.address + section.size;
  const { values, sectionIndices, infos } = table;
  const chosen = new Uint32Array(table.count);
  let count = 0;
  for (let i = 0; i < table.count; i++) {
    if (sectionIndices[i] !== section.index || ((wanted >> (infos[i]! & 15)) & 1) === 0) continue;
    const value = values[i]!;
    if (value >= section.address && value < end) chosen[count++] = i;
  }
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) keys[i] = values[chosen[i]!]! - section.address;
  const ordered = orderOf(keys);
  for (let i = 0; i < count; i++) ordered[i] = chosen[ordered[i]!]!;
  return ordered;
}

/** Whether a section has a symbol of some of these types. */
export function sectionsWith(table: SymbolTable, types: readonly number[]): (section: Section) => boolean {
  const wanted = types.reduce((set, type) => set | (1 << type), 0);
  const has = new Uint8Array(2 ** 16);
  const { sectionIndices, infos } = table;
  for (let i = 0; i < table.count; i++) if ((wanted >> (infos[i]! & 15)) & 1) has[sectionIndices[i]!] = 1;
  return ({ index }) => has[index] === 1;
}

/** A global name is what others know a thing by. */
function byRank(table: SymbolTable, a: number, b: number): number {
  const rank = (symbol: number) => {
    const bind = table.infos[symbol]! >> 4;
    return bind === STB_GLOBAL ? 0 : bind === STB_LOCAL ? 2 : 1;
  };
  const order = rank(a) - rank(b);
  if (order !== 0) return order;
  const [first, second] = [table.name(a), table.name(b)];
  return first < second ? -1 : first > second ? 1 : 0;
}
