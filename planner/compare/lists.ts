// SPDX-License-Identifier: MIT
/**
 * Lists that the linker puts together: all that is in sections of one name, from `__start_NAME` to `__stop_NAME`, or an array of
 * constructors. Code walks from one border to the other, and the borders are addresses at which something else begins as well: the
 * first entry, or whatever the linker put behind the last. A function that refers to both borders means the list.
 */
import { STT_NOTYPE } from '../elf/symbols.js';
import { type CodeFunction, unitOf } from '../match/functions.js';
import { instructionsOf, referenceOf } from './instructions.js';
import { possibleAddresses } from './operands.js';
import type { Side } from './side.js';

export interface LinkerList {
  /** The symbol at its start. */
  readonly first: string;
  /** The symbol at its end. */
  readonly last: string;
  readonly start: number;
  readonly end: number;
}

const lists = new WeakMap<Side, ReadonlyMap<string, LinkerList>>();
const mentioned = new WeakMap<CodeFunction, ReadonlySet<number>>();

/** By the name of the symbol at the start. */
export function listsOf(side: Side): ReadonlyMap<string, LinkerList> {
  let found = lists.get(side);
  if (found === undefined) {
    const labels = new Map<string, number>();
    for (const { name, value, section } of side.image.symbolTable.ofType(STT_NOTYPE))
      if (section !== 0 && BORDER.test(name)) labels.set(name, value);
    found = new Map(
      [...labels].flatMap(([first, start]): [string, LinkerList][] => {
        const last = first.replace(/^__start_/, '__stop_').replace(/_start$/, '_end');
        const end = labels.get(last) ?? start;
        return end > start ? [[first, { first, last, start, end }]] : [];
      }),
    );
    lists.set(side, found);
  }
  return found;
}

const BORDER = /^__(start|stop)_\w|^__((preinit|init|fini)_array|rela_iplt)_(start|end)$/;

/** The name of the border that `from` means by `address`; null if it means what is there. */
export function borderAt(side: Side, from: CodeFunction | null, address: number): string | null {
  if (from === null) return null;
  for (const { first, last, start, end } of listsOf(side).values()) {
    if (address !== start && address !== end) continue;
    const all = addressesIn(side, unitOf(from));
    if (all.has(start) && all.has(end)) return address === start ? first : last;
  }
  return null;
}

/** Whatever a function and its parts may refer to. */
function addressesIn({ image }: Side, unit: CodeFunction): ReadonlySet<number> {
  let addresses = mentioned.get(unit);
  if (addresses === undefined) {
    const parts = [unit, ...unit.parts];
    const relative = parts.flatMap((part) =>
      instructionsOf(part).flatMap((one) => (one.fieldSize > 0 ? [referenceOf(part, one).address] : [])),
    );
    addresses = new Set([...relative, ...(image.kind === 'exec' ? parts.flatMap(possibleAddresses) : [])]);
    mentioned.set(unit, addresses);
  }
  return addresses;
}
