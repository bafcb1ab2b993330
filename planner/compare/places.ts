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
import { R_X86_64 } from '../elf/relocations.js';
import { isLinkage } from '../elf/sections.js';
import { inOrder } from '../match/by-address.js';
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
  const list = new PlaceList();
  const range = loadedRange(side.image);
  if (!sweepable(range)) return list.inOrder(0, 0);
  const identity = (kind: number, number: number) => (number < 0 || number >= LIMIT ? 0 : kind + number);
  for (const { index, address, size } of side.functions)
    list.add(address, address + size, identity(FUNCTION, pairs.functions[index]!));
  for (const { index, address, size } of side.objects)
    list.add(address, address + size, identity(OBJECT, pairs.objects[index]!));
  const bound = boundNames(side, names, versions);
  for (const [stub, slot] of side.image.stubs) list.add(stub, stub + 1, identity(STUB, bound(slot)));
  const { relocations, sections } = side.image;
  for (const section of sections.filter(isLinkage)) {
    const end = section.address + section.size;
    for (let i = relocations.firstFrom(section.address); i < relocations.size && relocations.addresses[i]! < end; i++) {
      const slot = relocations.addresses[i]!;
      if (relocations.types[i] === R_X86_64.relative) {
        const fn = side.functionAt(relocations.addends[i]!);
        if (fn?.address === relocations.addends[i])
          list.add(slot, slot + 1, identity(POINTER, pairs.functions[fn!.index]!));
      } else list.add(slot, slot + 1, identity(SLOT, bound(slot)));
    }
  }
  return list.inOrder(mapStart(range.low), range.high);
}

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
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #identities: number[] = [];

  add(start: number, end: number, identity: number): void {
    this.#starts.push(start);
    this.#ends.push(end);
    this.#identities.push(identity);
  }

  inOrder(low: number, high: number): Places {
    const count = this.#starts.length;
    const order = inOrder(
      Uint32Array.from({ length: count }, (_, i) => i),
      (i) => this.#starts[i]!,
    );
    const [starts, ends, identities] = [new Uint32Array(count), new Uint32Array(count), new Uint32Array(count)];
    for (let to = 0; to < count; to++) {
      const from = order[to]!;
      starts[to] = this.#starts[from]!;
      ends[to] = this.#ends[from]!;
      identities[to] = this.#identities[from]!;
    }
    const blocks = new Uint32Array(Math.ceil((high - low) / BLOCK) + 1);
    for (let block = 0, place = 0; block < blocks.length; block++) {
      while (place + 1 < count && starts[place + 1]! <= low + block * BLOCK) place++;
      blocks[block] = place;
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
