// SPDX-License-Identifier: MIT
/** Which functions are `.cold` parts, and of which: by name and source file. Few names are decoded for it. */
import { Sign } from '../core/names.js';
import type { NameIds } from '../elf/name-ids.js';
import type { SymbolTable } from '../elf/symbols.js';
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
  if (!bytesOf(table.strings).includes('.cold', 0, 'latin1')) return { parents, parts };
  const [ids, signs] = [names.of(table), names.signs()];
  const split: { part: number; parent: number }[] = [];
  const candidates = new Map<number, number[]>();
  for (let i = 0; i < symbols.length; i++) {
    if ((signs[ids[symbols[i]!]!]! & Sign.dot) === 0) continue;
    const parent = /^(.+)\.cold(\.\d+)?$/.exec(table.name(symbols[i]!))?.[1];
    if (parent === undefined) continue;
    const id = names.find(parent);
    if (id < 0) continue;
    candidates.set(id, []);
    split.push({ part: i, parent: id });
  }
  if (split.length === 0) return { parents, parts };
  for (let i = 0; i < symbols.length; i++)
    for (const symbol of aliases.get(i) ?? [symbols[i]!]) candidates.get(ids[symbol]!)?.push(i);
  const fileOf = (index: number) => table.sourceFile(symbols[index]!);
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

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, byteLength);
