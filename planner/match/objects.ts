// SPDX-License-Identifier: MIT
/** The data objects of one image: what STT_OBJECT symbols name, by address; names at one address are one object. */
import type { ElfImage } from '../elf/image.js';
import { isCode, isLinkage, isLoaded, isThreadLocal, type Section } from '../elf/sections.js';
import { STB_GLOBAL, STB_LOCAL, STT_OBJECT } from '../elf/symbols.js';

export interface DataObject {
  readonly name: string;
  readonly names: readonly string[];
  readonly file: string | null;
  readonly address: number;
  readonly size: number;
  readonly section: Section;
}

export function readObjects(image: ElfImage): DataObject[] {
  const byAddress = new Map<number, { object: DataObject; rank: number }>();
  for (const symbol of image.symbols) {
    const section = image.sections[symbol.section];
    if (symbol.type !== STT_OBJECT || symbol.size === 0 || symbol.section === 0 || section === undefined) continue;
    if (!isLoaded(section) || isCode(section) || isThreadLocal(section) || isLinkage(section)) continue;
    if (symbol.value < section.address || symbol.value + symbol.size > section.address + section.size) continue;
    const { name, file, value: address, size } = symbol;
    const rank = symbol.bind === STB_GLOBAL ? 0 : symbol.bind === STB_LOCAL ? 2 : 1;
    const known = byAddress.get(address);
    if (!known) byAddress.set(address, { object: { name, names: [name], file, address, size, section }, rank });
    else {
      const first = rank < known.rank || (rank === known.rank && name < known.object.name);
      const names = [...known.object.names, name].sort();
      const object = {
        ...known.object,
        names,
        size: Math.max(size, known.object.size),
        ...(first ? { name, file } : {}),
      };
      byAddress.set(address, { object, rank: Math.min(rank, known.rank) });
    }
  }
  return [...byAddress.values()].map(({ object }) => object).sort((a, b) => a.address - b.address);
}

/** Finds the object that holds an address: the last one that starts at or before it and reaches over it. */
export function objectFinder(objects: readonly DataObject[]): (address: number) => DataObject | null {
  return (address) => {
    const object = lastBefore(objects, address);
    return object !== null && address < object.address + object.size ? object : null;
  };
}

/** The last object that starts at or before `address`; `objects` in order of address. */
export function lastBefore(objects: readonly DataObject[], address: number): DataObject | null {
  let low = 0;
  let high = objects.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (objects[middle]!.address <= address) low = middle + 1;
    else high = middle;
  }
  return objects[low - 1] ?? null;
}
