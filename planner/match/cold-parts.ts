// SPDX-License-Identifier: MIT
/** Which functions are `.cold` parts, and of which: by name and source file. Few names are decoded for it. */
import type { NameIds } from '../elf/name-ids.js';
import { STB_LOCAL, type SymbolTable } from '../elf/symbols.js';
import { isMentioned, positionsOf } from './mentions.js';
import type { Columns } from './things.js';

/** By indices. */
export interface Family {
  /** From a part to its function. */
  readonly parents: ReadonlyMap<number, number>;
  /** From a function to its parts. */
  readonly parts: ReadonlyMap<number, readonly number[]>;
}

/** Each part named `f.cold` or `f.cold.1` belongs to a function with the name `f`, of its own source file if it can be. */
export function coldParts(table: SymbolTable, { symbols, aliases }: Columns, names: NameIds): Family {
  const parents = new Map<number, number>();
  const parts = new Map<number, number[]>();
  const mentions = positionsOf(table.strings, '.cold');
  if (mentions.length === 0) return { parents, parts };
  const split: { part: number; parent: number }[] = [];
  const candidates = new Map<number, number[]>();
  for (let i = 0; i < symbols.length; i++) {
    if (!isMentioned(table, symbols[i]!, mentions)) continue;
    const parent = /^(.+)\.cold(\.\d+)?$/.exec(table.name(symbols[i]!))?.[1];
    if (parent === undefined) continue;
    const id = names.find(parent);
    if (id < 0) continue;
    candidates.set(id, []);
    split.push({ part: i, parent: id });
  }
  if (split.length === 0) return { parents, parts };
  const ids = names.of(table);
  for (let i = 0; i < symbols.length; i++)
    for (const symbol of aliases.get(i) ?? [symbols[i]!]) candidates.get(ids[symbol]!)?.push(i);
  const fileOf = (index: number) => {
    const all = [...(aliases.get(index) ?? [symbols[index]!])];
    return all.every((symbol) => table.infos[symbol]! >> 4 === STB_LOCAL) ? table.sourceFile(symbols[index]!) : null;
  };
  for (const { part, parent } of split) {
    const possible = candidates.get(parent)!;
    const file = fileOf(part);
    const found = possible.find((index) => fileOf(index) === file) ?? possible.find((index) => fileOf(index) === null);
    if (found === undefined) continue;
    parents.set(part, found);
    const list = parts.get(found);
    if (list) list.push(part);
    else parts.set(found, [part]);
  }
  return { parents, parts };
}
