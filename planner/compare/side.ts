// SPDX-License-Identifier: MIT
/** One of the two images with what comparison asks it over and over: functions, objects, and where constants begin. */
import { instructionAt, instructionCount } from '../core/instruction.js';
import { INSTRUCTION_WORDS } from '../core/load.js';
import type { ElfImage } from '../elf/image.js';
import { R_X86_64 } from '../elf/relocations.js';
import type { Section } from '../elf/sections.js';
import { type ElfSymbol, STT_FILE, STT_SECTION, STT_TLS } from '../elf/symbols.js';
import { type CodeFunction, functionFinder, readFunctions, unitOf } from '../match/functions.js';
import { type DataObject, lastBefore, objectFinder, readObjects } from '../match/objects.js';
import { slotName } from './referent.js';

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
  /** Names that the linker put at an address where something else may start as well: `__bss_start`. */
  readonly bordersAt: (address: number) => readonly string[];
  /** A symbol without a size stands between the last object in `section` and `address`, so it may go on up to there. */
  readonly isNamed: (section: Section, address: number) => boolean;
  readonly labelNamed: (name: string) => ElfSymbol | null;
  /** Import → PLT stub, import → GOT slot. */
  readonly stubOf: ReadonlyMap<string, number>;
  readonly slotOf: ReadonlyMap<string, number>;
}

/** What the linker and the start-up files put at the borders of data; none is a variable. */
const LINKER_NAMES: ReadonlySet<string> = new Set(
  'data_start __data_start __dso_handle __TMC_END__ _edata edata __bss_start'.split(' '),
);

export function makeSide(image: ElfImage): Side {
  const functions = readFunctions(image);
  const objects = readObjects(image);
  const ends = new Map(objects.map((object) => [object.address + object.size, object]));
  const labels = new Map<number, ElfSymbol>();
  const labelNames = new Map<string, ElfSymbol>();
  const sizeless: number[] = [];
  const borders = new Map<number, string[]>();
  for (const symbol of image.symbols) {
    if (symbol.section === 0 || symbol.type === STT_FILE || symbol.type === STT_SECTION || symbol.type === STT_TLS)
      continue;
    // the compiler's own labels, which --emit-relocs keeps, name nothing
    if (symbol.name.startsWith('.L')) continue;
    if (!labels.has(symbol.value)) labels.set(symbol.value, symbol);
    labelNames.set(symbol.name, symbol);
    if (symbol.size > 0) continue;
    if (!LINKER_NAMES.has(symbol.name)) sizeless.push(symbol.value);
    else borders.set(symbol.value, [...(borders.get(symbol.value) ?? []), symbol.name]);
  }
  const functionAt = functionFinder(functions);
  const stubOf = new Map<string, number>();
  const slotOf = new Map<string, number>();
  for (const [stub, slot] of image.stubs) {
    const name = slotName({ image, functionAt }, slot);
    if (name !== null) stubOf.set(name, stub);
  }
  // the PLT's own slots are filled in at the first call: what they hold until then is good for calls, and for nothing else
  for (const wanted of [R_X86_64.irelative, R_X86_64.globDat])
    for (const { address, type } of image.relocations.values()) {
      const name = type === wanted ? slotName({ image, functionAt }, address) : null;
      if (name !== null) slotOf.set(name, address);
    }
  return {
    image,
    functions,
    objects,
    functionAt,
    objectAt: objectFinder(objects),
    objectBefore: (address) => ends.get(address) ?? null,
    nextStart: startFinder(image, functions, objects),
    labelAt: (address) => labels.get(address) ?? null,
    bordersAt: (address) => borders.get(address) ?? [],
    isNamed: (section, address) => {
      const last = lastBefore(objects, address);
      const from = last?.section === section ? last.address + last.size : section.address;
      return sizeless.some((value) => value >= from && value <= address);
    },
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
