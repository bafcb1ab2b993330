// SPDX-License-Identifier: MIT
/** Makes the columns of things: of groups of symbols, section by section, then in order of address. */

import { orderOf } from '../elf/order.js';
import type { Section } from '../elf/sections.js';
import type { SymbolTable } from '../elf/symbols.js';
import type { Grouped } from './by-address.js';
import type { Columns } from './things.js';

/** Sizes are the largest that any of a thing's symbols has. */
export function joinGroups(
  table: SymbolTable,
  groups: readonly { readonly section: Section; readonly group: Grouped }[],
): Columns {
  const count = groups.reduce((sum, { group }) => sum + group.count, 0);
  const addresses = new Float64Array(count);
  const sizes = new Float64Array(count);
  const symbols = new Uint32Array(count);
  const homes = new Uint16Array(count);
  const aliases = new Map<number, Uint32Array>();
  let at = 0;
  for (const { section, group } of groups) {
    for (let i = 0; i < group.count; i++, at++) {
      const symbol = group.symbols[i]!;
      symbols[at] = symbol;
      addresses[at] = table.values[symbol]!;
      sizes[at] = table.sizes[symbol]!;
      homes[at] = section.index;
    }
    for (const [index, all] of group.aliases) {
      const place = at - group.count + index;
      aliases.set(place, all);
      for (const symbol of all) sizes[place] = Math.max(sizes[place]!, table.sizes[symbol]!);
    }
  }
  return { addresses, sizes, symbols, homes, aliases };
}

/** `order`: from the new place to the old one. */
export function inOrder(columns: Columns): { readonly columns: Columns; readonly order: Uint32Array } {
  const { addresses, sizes, symbols, homes, aliases } = columns;
  const order = orderOf(addresses);
  if (order.every((from, to) => from === to)) return { columns, order };
  const moved = new Map<number, Uint32Array>();
  order.forEach((from, to) => {
    const all = aliases.get(from);
    if (all) moved.set(to, all);
  });
  return {
    order,
    columns: {
      addresses: addresses.map((_, to) => addresses[order[to]!]!),
      sizes: sizes.map((_, to) => sizes[order[to]!]!),
      symbols: symbols.map((_, to) => symbols[order[to]!]!),
      homes: homes.map((_, to) => homes[order[to]!]!),
      aliases: moved,
    },
  };
}
