// SPDX-License-Identifier: MIT
/** One of the two images with what comparison asks it over and over: functions, objects, and where constants begin. */
import { instructionAt, instructionCount } from '../core/instruction.js';
import { INSTRUCTION_WORDS } from '../core/load.js';
import { type ElfImage, importAt, importName } from '../elf/image.js';
import { R_X86_64 } from '../elf/relocations.js';
import { type ElfSymbol, STT_FILE, STT_SECTION, STT_TLS } from '../elf/symbols.js';
import { type CodeFunction, functionFinder, readFunctions, unitOf } from '../match/functions.js';
import { type DataObject, objectFinder, readObjects } from '../match/objects.js';

export interface Side {
  readonly image: ElfImage;
  readonly functions: readonly CodeFunction[];
  readonly objects: readonly DataObject[];
  readonly functionAt: (address: number) => CodeFunction | null;
  readonly objectAt: (address: number) => DataObject | null;
  /** The object whose first byte behind it is `address`. */
  readonly objectBefore: (address: number) => DataObject | null;
  /** First address above `address` that something is known to begin at. */
  readonly nextStart: (address: number) => number;
  /** Symbols at an address that are neither functions nor objects with a size: `_end`, `__dso_handle`. */
  readonly labelAt: (address: number) => ElfSymbol | null;
  readonly labelNamed: (name: string) => ElfSymbol | null;
  /** Import → PLT stub, import → GOT slot. */
  readonly stubOf: ReadonlyMap<string, number>;
  readonly slotOf: ReadonlyMap<string, number>;
}

export function makeSide(image: ElfImage): Side {
  const functions = readFunctions(image);
  const objects = readObjects(image);
  const ends = new Map(objects.map((object) => [object.address + object.size, object]));
  const labels = new Map<number, ElfSymbol>();
  const labelNames = new Map<string, ElfSymbol>();
  for (const symbol of image.symbols) {
    if (symbol.section === 0 || symbol.type === STT_FILE || symbol.type === STT_SECTION || symbol.type === STT_TLS)
      continue;
    if (!labels.has(symbol.value)) labels.set(symbol.value, symbol);
    labelNames.set(symbol.name, symbol);
  }
  const stubOf = new Map<string, number>();
  const slotOf = new Map<string, number>();
  for (const [stub, slot] of image.stubs) {
    const found = importAt(image, slot);
    if (found) stubOf.set(importName(found), stub);
  }
  // a slot that ld.so binds eagerly is as good for loads as for calls; prefer it over the PLT's
  for (const wanted of [R_X86_64.jumpSlot, R_X86_64.globDat])
    for (const { address, type } of image.relocations.values()) {
      const found = type === wanted ? importAt(image, address) : null;
      if (found) slotOf.set(importName(found), address);
    }
  return {
    image,
    functions,
    objects,
    functionAt: functionFinder(functions),
    objectAt: objectFinder(objects),
    objectBefore: (address) => ends.get(address) ?? null,
    nextStart: startFinder(image, functions, objects),
    labelAt: (address) => labels.get(address) ?? null,
    labelNamed: (name) => labelNames.get(name) ?? null,
    stubOf,
    slotOf,
  };
}

/** Everything that code or data points at is the start of something, and so is the end of an object. */
function startFinder(image: ElfImage, functions: readonly CodeFunction[], objects: readonly DataObject[]) {
  const starts: number[] = [];
  for (const fn of functions) {
    const base = fn.address - fn.section.address;
    for (let i = 0; i < instructionCount(fn.code.rows); i++) {
      if (((fn.code.rows[i * INSTRUCTION_WORDS + 2]! >>> 8) & 0xff) === 0) continue;
      const { offset, length, distance } = instructionAt(fn.code.rows, i, base);
      starts.push(fn.address + offset + length + distance);
    }
  }
  for (const { type, addend } of image.relocations.values()) if (type === R_X86_64.relative) starts.push(addend);
  for (const { address, size } of objects) starts.push(address, address + size);
  for (const { address, size } of image.sections) if (address > 0) starts.push(address, address + size);
  const sorted = Float64Array.from(starts).sort();
  return (address: number): number => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return sorted[low] ?? Number.MAX_SAFE_INTEGER;
  };
}

/** Whether `fn` refers into `object` anywhere. */
export function uses(side: Side, fn: CodeFunction | null, object: DataObject): boolean {
  if (fn === null) return false;
  const unit = unitOf(fn);
  return [unit, ...unit.parts].some(({ address, section, code: { rows } }) => {
    for (let i = 0; i < instructionCount(rows); i++) {
      const { offset, length, distance, fieldSize } = instructionAt(rows, i, address - section.address);
      if (fieldSize > 0 && side.objectAt(address + offset + length + distance) === object) return true;
    }
    return false;
  });
}
