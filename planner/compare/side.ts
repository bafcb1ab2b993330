// SPDX-License-Identifier: MIT
/** One of the two images with what comparison asks it over and over: functions, objects, and where constants begin. */
import { instructionAt, instructionCount } from '../core/instruction.js';
import { Workspace } from '../core/workspace.js';
import type { ElfImage } from '../elf/image.js';
import { NameIds } from '../elf/name-ids.js';
import { countBelow, inOrder, orderOf } from '../elf/order.js';
import { R_X86_64 } from '../elf/relocations.js';
import { isLoaded, type Section, SHT_RELA } from '../elf/sections.js';
import { type ElfSymbol, STT_FILE, STT_SECTION, STT_TLS, type SymbolTable } from '../elf/symbols.js';
import { type CodeFunction, readFunctions, unitOf } from '../match/functions.js';
import { type DataObject, readObjects } from '../match/objects.js';
import { pick, type Things } from '../match/things.js';
import { slotName } from './referent.js';
import { StartMap } from './starts.js';

export interface Side {
  readonly image: ElfImage;
  readonly space: Workspace;
  readonly functions: Things<CodeFunction>;
  readonly objects: Things<DataObject>;
  readonly functionsNamed: (name: string) => CodeFunction[];
  readonly functionAt: (address: number) => CodeFunction | null;
  readonly objectAt: (address: number) => DataObject | null;
  /** The object whose first byte behind it is `address`. */
  readonly objectBefore: (address: number) => DataObject | null;
  /** First address above `address` that something is known to begin at. */
  readonly nextStart: (address: number) => number;
  /** Something refers to `address` from outside of the function that it lies in, or it starts or ends an object or section. */
  readonly isStart: (address: number) => boolean;
  /** Something is known to begin at `address` that nothing in the file says so of by itself. */
  readonly addStart: (address: number) => void;
  /** Before anybody asks for starts: what the code refers to, as the sweep has found it. */
  readonly useTargets: (targets: Uint32Array) => void;
  /** Symbols at an address that are neither functions nor objects with a size: `_end`, `__dso_handle`. */
  readonly labelAt: (address: number) => ElfSymbol | null;
  /** Names that the linker put at an address where something else may start as well: `__bss_start`. */
  readonly bordersAt: (address: number) => readonly string[];
  /** A symbol without a size stands between the last object in `section` and `address`, so it may go on up to there. */
  readonly isNamed: (section: Section, address: number) => boolean;
  /** --emit-relocs kept the linker's relocations of this section. */
  readonly keepsRelocations: (section: Section) => boolean;
  readonly labelNamed: (name: string) => ElfSymbol | null;
  /** PLT stubs and GOT slots of imports by these names, whatever their versions. */
  readonly linkageOf: (names: ReadonlySet<string>) => number[];
  /** Import → PLT stub, import → GOT slot. */
  readonly stubOf: ReadonlyMap<string, number>;
  readonly slotOf: ReadonlyMap<string, number>;
}

/** What the linker and the start-up files put at the borders of data; none is a variable. */
const LINKER_NAMES: ReadonlySet<string> = new Set(
  'data_start __data_start __dso_handle __TMC_END__ _edata edata __bss_start'.split(' '),
);

/** Searches of a list before an index of it is made. */
const OFTEN = 64;

export function makeSide(image: ElfImage, names: NameIds = new NameIds(), space = Workspace.empty()): Side {
  const ids = names.of(image.symbolTable);
  const functions = readFunctions(image, names);
  const objects = readObjects(image);
  const functionAt = (address: number) => functions.holding(address);
  let targets: Uint32Array | null = null;
  const starts = lazy(() => new StartMap(image, functions, objects, targets));
  const ends = lazy(() => endsOf(objects));
  const labelIndexAt = labelsOf(image.symbolTable);
  const borders = lazy(() => readBorders(image));
  const isKept = (section: Section) => section.type === SHT_RELA && !isLoaded(section);
  const kept = lazy(() => new Set(image.sections.filter(isKept).map(({ info }) => info)));
  const linkage = lazy(() => readLinkage(image, functionAt, () => true));
  const symbolAt = (index: number) => (index < 0 ? null : image.symbolTable.at(index));
  return {
    image,
    space,
    functions,
    objects,
    functionAt,
    functionsNamed: (name) => {
      const id = names.find(name);
      return pick(functions, (i) => ids[functions.columns.symbols[i]!] === id);
    },
    objectAt: (address) => objects.holding(address),
    objectBefore: (address) => ends()(address),
    nextStart: (address) => starts().next(address),
    isStart: (address) => starts().has(address),
    addStart: (address) => starts().mark(address),
    useTargets: (found) => {
      targets = found;
    },
    labelAt: (address) => symbolAt(labelIndexAt(address)),
    bordersAt: (address) => borders().borders.get(address) ?? [],
    isNamed: (section, address) => {
      const last = objects.firstAbove(address) - 1;
      const from = last >= 0 && objects.sectionOf(last) === section ? objects.endOf(last) : section.address;
      return borders().sizeless.some((value) => value >= from && value <= address);
    },
    keepsRelocations: ({ index }) => kept().has(index),
    labelNamed: (name) => symbolAt(lastLabel(image.symbolTable, ids, names.find(name))),
    linkageOf: (wanted) => {
      const symbols = withNames(image.dynamicTable, wanted);
      const found = readLinkage(image, functionAt, (symbol) => symbols.has(symbol));
      return [...found.stubOf.values(), ...found.slotOf.values()];
    },
    get stubOf() {
      return linkage().stubOf;
    },
    get slotOf() {
      return linkage().slotOf;
    },
  };
}

/** What most comparisons never ask for is made when somebody does. */
function lazy<T extends object>(make: () => T): () => T {
  let made: T | null = null;
  return () => {
    made ??= make();
    return made;
  };
}

/** Finds the object that ends at an address; of several the last. */
function endsOf(objects: Things<DataObject>): (address: number) => DataObject | null {
  const ends = new Float64Array(objects.length);
  for (let i = 0; i < ends.length; i++) ends[i] = objects.endOf(i);
  const order = orderOf(ends);
  const sorted = inOrder(ends, order);
  return (address) => {
    const last = countBelow(sorted, address + 1) - 1;
    return sorted[last] === address ? objects.at(order[last]!) : null;
  };
}

/** Finds the first symbol at an address, by index, or -1. Sorting all is worth it only for who asks often. */
function labelsOf(table: SymbolTable): (address: number) => number {
  const { count, values } = table;
  const firstAt = lazy(() => {
    const first = new Map<number, number>();
    for (let i = count - 1; i >= 0; i--) if (isLabel(table, i)) first.set(values[i]!, i);
    return first;
  });
  let asked = 0;
  return (address) => {
    if (asked++ >= OFTEN) return firstAt().get(address) ?? -1;
    let index = values.indexOf(address);
    while (index >= 0 && !isLabel(table, index)) index = values.indexOf(address, index + 1);
    return index;
  };
}

/** Where symbols without a size are; the linker's names. */
function readBorders({ symbolTable: table }: ElfImage) {
  const { values, sizes } = table;
  const sizeless: number[] = [];
  const borders = new Map<number, string[]>();
  for (let i = 0; i < table.count; i++) {
    if (sizes[i]! > 0 || !isLabel(table, i)) continue;
    const value = values[i]!;
    const name = table.name(i);
    if (!LINKER_NAMES.has(name)) sizeless.push(value);
    else borders.set(value, [...(borders.get(value) ?? []), name]);
  }
  return { sizeless, borders };
}

/** Of several symbols with one name the last. */
function lastLabel(table: SymbolTable, ids: Uint32Array, id: number): number {
  for (let i = table.count - 1; i >= 0; i--) if (ids[i] === id && isLabel(table, i)) return i;
  return -1;
}

function isLabel({ infos, sectionIndices, nameOffsets, strings }: SymbolTable, index: number): boolean {
  const type = infos[index]! & 15;
  if (sectionIndices[index] === 0 || type === STT_FILE || type === STT_SECTION || type === STT_TLS) return false;
  // the compiler's own labels, which --emit-relocs keeps, name nothing: .L
  const name = nameOffsets[index]!;
  return strings[name] !== 0x2e || strings[name + 1] !== 0x4c;
}

/** Indices of the symbols with one of these names; not one more name is decoded. */
function withNames({ count, nameOffsets, strings }: SymbolTable, names: ReadonlySet<string>): Set<number> {
  const texts = Buffer.from(strings.buffer, strings.byteOffset, strings.byteLength);
  const wanted = [...names].map((name) => Buffer.from(`${name}\0`));
  const isWanted = (at: number) => wanted.some((name) => texts.subarray(at, at + name.length).equals(name));
  const symbols = new Set<number>();
  if (!wanted.some((name) => texts.includes(name))) return symbols;
  const first = new Set(wanted.map((name) => name[0]));
  for (let i = 0; i < count; i++) if (first.has(strings[nameOffsets[i]!]) && isWanted(nameOffsets[i]!)) symbols.add(i);
  return symbols;
}

/** Of those by a symbol that is wanted. */
function readLinkage(image: ElfImage, functionAt: Side['functionAt'], isWanted: (symbol: number) => boolean) {
  const { relocations, stubs } = image;
  const stubOf = new Map<string, number>();
  const slotOf = new Map<string, number>();
  for (const [stub, slot] of stubs) {
    const index = relocations.indexOf(slot);
    if (index < 0 || !isWanted(relocations.symbols[index]!)) continue;
    const name = slotName({ image, functionAt }, slot);
    if (name !== null) stubOf.set(name, stub);
  }
  // the PLT's own slots are filled in at the first call: what they hold until then is good for calls, and for nothing else
  for (const wanted of [R_X86_64.irelative, R_X86_64.globDat])
    for (let i = 0; i < relocations.size; i++) {
      if (relocations.types[i] !== wanted || !isWanted(relocations.symbols[i]!)) continue;
      const slot = relocations.addresses[i]!;
      const name = slotName({ image, functionAt }, slot);
      if (name !== null) slotOf.set(name, slot);
    }
  return { stubOf, slotOf };
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
