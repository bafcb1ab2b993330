// SPDX-License-Identifier: MIT
/**
 * What references lead to: functions, variables, PLT stubs and GOT slots of one side, as places with an identity, in order of address.
 * Two places with one identity mean the same by the rules of references.ts: paired functions, paired objects, imports of one name.
 *
 * An identity is a number with a kind in its upper bits; 0 is none. Whoever compares must add what a kind asks for: a place
 * inside of a function must be the same instruction, and a constant object must have the same content.
 */
import type { Places } from '../core/sweep.js';
import { BLOCK, mapStart, sweepable } from '../core/sweep.js';
import type { NameIds } from '../elf/name-ids.js';
import { orderOf } from '../elf/order.js';
import { R_X86_64 } from '../elf/relocations.js';
import { isLinkage } from '../elf/sections.js';
import { loadedRange } from './code-range.js';
import type { Side } from './side.js';

/** The kinds that are not told apart by the core's CODE_PLACE (assembly/sweep.ts). */
export const FUNCTION = 0x80000000;
export const OBJECT = 0x40000000;
const STUB = 0x20000000;
const SLOT = 0x10000000;
/** A slot that holds the address of a function of the file itself. */
const POINTER = 0x08000000;
/** Numbers are below this. */
const LIMIT = 0x08000000;

/** By index of the function or object: the number of its pair, the same on both sides; -1 for none. */
export interface PairNumbers {
  readonly functions: Int32Array;
  readonly objects: Int32Array;
}

/** Versions by name, numbered as they are met. */
export type VersionNumbers = Map<string, number>;

export function placesOf(side: Side, pairs: PairNumbers, names: NameIds, versions: VersionNumbers): Places {
  const range = loadedRange(side.image);
  const { relocations, sections, stubs } = side.image;
  const linkage = sweepable(range) ? sections.filter(isLinkage) : [];
  const slots = linkage.map(({ address, size }) => ({
    first: relocations.firstFrom(address),
    end: relocations.firstFrom(address + size),
  }));
  const room = stubs.size + slots.reduce((sum, { first, end }) => sum + Math.max(0, end - first), 0);
  const list = new PlaceList(side.functions.length + side.objects.length + room);
  if (!sweepable(range)) return list.inOrder(0, 0);
  list.addThings(side.functions, FUNCTION, pairs.functions);
  list.addThings(side.objects, OBJECT, pairs.objects);
  const bound = boundNames(side, names, versions);
  for (const [stub, slot] of stubs) list.add(stub, stub + 1, identityOf(STUB, bound(slot)));
  for (const { first, end } of slots)
    for (let i = first; i < end; i++) {
      const slot = relocations.addresses[i]!;
      if (relocations.types[i] === R_X86_64.relative) {
        const index = side.functions.indexAt(relocations.addends[i]!);
        if (index >= 0 && side.functions.columns.addresses[index] === relocations.addends[i])
          list.add(slot, slot + 1, identityOf(POINTER, pairs.functions[index]!));
      } else list.add(slot, slot + 1, identityOf(SLOT, bound(slot)));
    }
  return list.inOrder(mapStart(range.low), range.high);
}

const identityOf = (kind: number, number: number): number => (number < 0 || number >= LIMIT ? 0 : kind + number);

/** Gives the number of the name that the loader binds a slot to; -1 for none. */
function boundNames({ image }: Side, names: NameIds, versions: VersionNumbers): (slot: number) => number {
  const { relocations } = image;
  const ids = names.of(image.dynamicTable);
  return (slot) => {
    const index = relocations.indexOf(slot);
    if (index < 0) return -1;
    const type = relocations.types[index];
    if (type !== R_X86_64.globDat && type !== R_X86_64.jumpSlot && type !== R_X86_64.abs64) return -1;
    const symbol = relocations.symbols[index]!;
    const version = image.versions[symbol] ?? '';
    let number = versions.get(version);
    if (number === undefined) {
      number = versions.size;
      versions.set(version, number);
    }
    return (ids[symbol] ?? 0) * 256 + number;
  };
}

class PlaceList {
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  readonly #identities: Uint32Array;
  #count = 0;

  constructor(room: number) {
    this.#starts = new Float64Array(room);
    this.#ends = new Float64Array(room);
    this.#identities = new Uint32Array(room);
  }

  add(start: number, end: number, identity: number): void {
    const at = this.#count++;
    this.#starts[at] = start;
    this.#ends[at] = end;
    this.#identities[at] = identity;
  }

  addThings(
    { length, columns: { addresses, sizes } }: Side['functions'] | Side['objects'],
    kind: number,
    pairs: Int32Array,
  ) {
    for (let i = 0; i < length; i++) this.add(addresses[i]!, addresses[i]! + sizes[i]!, identityOf(kind, pairs[i]!));
  }

  inOrder(low: number, high: number): Places {
    const count = this.#count;
    const order = orderOf(this.#starts.subarray(0, count));
    const [starts, ends, identities] = [new Uint32Array(count), new Uint32Array(count), new Uint32Array(count)];
    for (let to = 0; to < count; to++) {
      const from = order[to]!;
      starts[to] = this.#starts[from]!;
      ends[to] = this.#ends[from]!;
      identities[to] = this.#identities[from]!;
    }
    const blocks = new Uint32Array(Math.ceil((high - low) / BLOCK) + 1);
    let block = 0;
    // blocks before the second place, and those up to each next one
    for (let place = 0; place < count; place++) {
      const end = place + 1 < count ? Math.ceil((starts[place + 1]! - low) / BLOCK) : blocks.length;
      while (block < end && block < blocks.length) blocks[block++] = place;
    }
    return { low, starts, ends, identities, blocks };
  }
}

/** Index of the place that holds `address`, or -1. */
export function placeAt({ low, starts, ends, blocks }: Places, address: number): number {
  if (address < low || starts.length === 0) return -1;
  const block = Math.floor((address - low) / BLOCK);
  if (block >= blocks.length) return -1;
  let place = blocks[block]!;
  while (place + 1 < starts.length && starts[place + 1]! <= address) place++;
  return address >= starts[place]! && address < ends[place]! ? place : -1;
}
