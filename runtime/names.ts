// SPDX-License-Identifier: MIT
/**
 * Addresses by name: which function of which patch or of which object holds one, and who has called it.
 *
 * Names of patches come from their records, all others from the symbol tables of the files behind the mappings, and from
 * those only that have the build id of what runs; code without a name is said by its object, and where it was linked to. A
 * caller is a guess, as a stack without frame pointers allows it: the
 * first word above whose bytes say that a call to the function returns there, or else that any call does.
 */
import { readFileSync, statSync } from 'node:fs';
import { ElfError, type FunctionNames, functionNames } from '../planner/index.js';
import { type Mapping, mappingAt } from './proc/maps.js';
import { type LoadedObject, loadedObjects } from './proc/object.js';
import { type Process, printable } from './proc/process.js';
import type { PatchRecord, RecordedFunction } from './record.js';
import { DETOUR_SIZE } from './record.js';

export interface Place {
  /** Or the object's name, where it does not say; then the offset is from its first address. */
  readonly function: string;
  readonly offset: number;
  /** For new code: whose. */
  readonly patch: string | null;
}

const LARGEST_FILE = 512 * 1024 * 1024;
const SEARCHED_STACK = 32 * 1024;
const LONGEST_CALL = 7;

export class Names {
  private readonly process: Process;
  private readonly maps: readonly Mapping[];
  private readonly records: readonly PatchRecord[];
  private readonly files = new Map<LoadedObject, FunctionNames | null>();
  private objects: readonly LoadedObject[] | null = null;

  constructor(process: Process, maps: readonly Mapping[], records: readonly PatchRecord[]) {
    this.process = process;
    this.maps = maps;
    this.records = records;
  }

  at(address: number): Place | null {
    for (const record of this.records) {
      const place = placeIn(record, address);
      if (place) return place;
    }
    return this.inFile(address);
  }

  /** Who has called the function at `place`, whose frame begins somewhere above `slot` on a stack. */
  callerOf(place: Place, slot: number): Place | null {
    const end = Math.min(mappingAt(this.maps, slot)?.end ?? 0, slot + SEARCHED_STACK);
    const words = end - slot >= 8 ? this.process.read(slot, (end - slot) & ~7) : null;
    let likely: Place | null = null;
    for (let at = 0; words && at < words.length; at += 8) {
      const word = Number(words.readBigUInt64LE(at));
      const call = mappingAt(this.maps, word)?.execute ? this.process.read(word - LONGEST_CALL, LONGEST_CALL) : null;
      if (!call || !endsInCall(call)) continue;
      const caller = this.at(word);
      if (!caller || isSame(caller, place)) continue;
      if (call[2] === 0xe8 && this.leadsTo(word + call.readInt32LE(3), place)) return caller;
      likely ??= caller;
    }
    return likely;
  }

  private leadsTo(target: number, place: Place): boolean {
    const called = this.at(target);
    return called !== null && called.offset === 0 && called.function === place.function;
  }

  private inFile(address: number): Place | null {
    this.objects ??= loadedObjects(this.process, this.maps);
    const object = this.objects.find(({ start, end }) => start <= address && address < end);
    if (!object) return null;
    if (!this.files.has(object)) this.files.set(object, this.open(object));
    const found = this.files.get(object)?.at(address - object.bias);
    return { function: found?.name ?? object.name, offset: found?.offset ?? address - object.bias, patch: null };
  }

  /** The file behind a mapping, also one that has been removed since, or that lies in a container. */
  private open(object: LoadedObject): FunctionNames | null {
    const mapping = this.maps.find(({ path, start }) => path !== '' && start >= object.start && start < object.end);
    if (!mapping || object.buildId === null) return null;
    const range = `${mapping.start.toString(16)}-${mapping.end.toString(16)}`;
    const { pid, folder } = this.process;
    for (const file of [`/proc/${pid}/map_files/${range}`, `${folder}/root${mapping.path}`]) {
      const names = readNames(file, object.name);
      if (names?.buildId === object.buildId) return names;
    }
    return null;
  }
}

/** Names are a service: a file that cannot be read has none. */
function readNames(file: string, name: string): FunctionNames | null {
  try {
    const { size } = statSync(file);
    return size <= LARGEST_FILE ? functionNames(readFileSync(file), name) : null;
  } catch (error) {
    if (error instanceof ElfError || (error as NodeJS.ErrnoException).code) return null;
    throw error;
  }
}

/** Which function that a patch replaces or brings holds `address`. */
export function placeIn({ name, functions, symbols }: PatchRecord, address: number): Place | null {
  for (const one of functions) {
    const place = inFunction(one, name, address);
    if (place) return place;
  }
  const found = symbols.find(({ start, size }) => start <= address && address < start + size);
  return found ? { function: printable(found.name), offset: address - found.start, patch: name } : null;
}

function inFunction(one: RecordedFunction, patch: string, address: number): Place | null {
  const name = printable(one.name);
  const within = (start: number, size: number) => start <= address && address < start + size;
  if (within(one.entry, Math.max(one.size, one.detour + DETOUR_SIZE - one.entry)))
    return { function: name, offset: address - one.entry, patch: null };
  if (within(one.body, one.bodySize)) return { function: name, offset: address - one.body, patch };
  const part = one.parts.find(({ start, size }) => within(start, size));
  return part ? { function: `${name} (cold part)`, offset: address - part.start, patch: null } : null;
}

const isSame = (a: Place, b: Place) => a.function === b.function && a.patch === b.patch;

/** call rel32, or call through a register or memory: of the seven bytes before a return address. */
function endsInCall(bytes: Buffer): boolean {
  if (bytes[LONGEST_CALL - 5] === 0xe8) return true;
  return [2, 3, 4, 6, 7].some((length) => {
    const at = LONGEST_CALL - length;
    return bytes[at] === 0xff && ((bytes[at + 1]! >> 3) & 7) === 2;
  });
}
