// SPDX-License-Identifier: MIT
/** The symbols of some types in one section, by address: several names for one address are one thing. */
import type { Section } from '../elf/sections.js';
import { STB_GLOBAL, STB_LOCAL, type SymbolTable } from '../elf/symbols.js';

export interface Grouped {
  /** Ascending. */
  readonly addresses: readonly number[];
  /** Indices in the symbol table, for each address: one, or several with the one that gives the name first. */
  readonly symbols: readonly (number | Uint32Array)[];
}

/** Symbols that lie outside of the section that they name are left out. */
export function groupByAddress(table: SymbolTable, section: Section, types: readonly number[]): Grouped {
  const chosen = sortedByAddress(table, section, types);
  const addresses: number[] = [];
  const symbols: (number | Uint32Array)[] = [];
  for (let i = 0; i < chosen.length; ) {
    const address = table.values[chosen[i]!]!;
    let end = i + 1;
    while (end < chosen.length && table.values[chosen[end]!] === address) end++;
    addresses.push(address);
    symbols.push(end === i + 1 ? chosen[i]! : chosen.slice(i, end).sort((a, b) => byRank(table, a, b)));
    i = end;
  }
  return { addresses, symbols };
}

function sortedByAddress(table: SymbolTable, section: Section, types: readonly number[]): Uint32Array {
  const wanted = types.reduce((set, type) => set | (1 << type), 0);
  const end = section.address + section.size;
  const chosen = new Uint32Array(table.count);
  let count = 0;
  for (let i = 0; i < table.count; i++) {
    if (table.sectionIndices[i] !== section.index || ((wanted >> (table.infos[i]! & 15)) & 1) === 0) continue;
    const value = table.values[i]!;
    if (value >= section.address && value < end) chosen[count++] = i;
  }
  return inOrder(chosen.subarray(0, count), (symbol) => table.values[symbol]! - section.address);
}

/** `indices`, ascending, in order of their keys; equal keys stay in order. Keys are whole and not negative. */
export function inOrder(indices: Uint32Array, keyOf: (index: number) => number): Uint32Array {
  // plain loops: typed arrays' from() asks an iterator for each
  const keys = new Float64Array(indices.length);
  let most = 0;
  for (let i = 0; i < keys.length; i++) {
    keys[i] = keyOf(indices[i]!);
    most = Math.max(most, keys[i]!);
  }
  // key and place in one number, of 53 bits at most: sorting numbers needs no calls
  const scale = 2 ** Math.ceil(Math.log2(keys.length + 1));
  if ((most + 1) * scale > Number.MAX_SAFE_INTEGER) return indices.slice().sort((a, b) => keyOf(a) - keyOf(b) || a - b);
  for (let i = 0; i < keys.length; i++) keys[i] = keys[i]! * scale + i;
  keys.sort();
  const ordered = new Uint32Array(keys.length);
  for (let i = 0; i < keys.length; i++) ordered[i] = indices[keys[i]! % scale]!;
  return ordered;
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
