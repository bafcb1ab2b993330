// SPDX-License-Identifier: MIT
/**
 * The debugging information of one file: which unit and which function an address belongs to, and what an entry refers to.
 *
 * Only unit headers are read at first; the entries of a unit are read when somebody asks for one of them, which is for the few
 * units that a fix touches. What is damaged is an ElfError that says where.
 */
import { ElfError } from '../error.js';
import type { ElfImage } from '../image.js';
import { type Entry, type Link, readEntries } from './entries.js';
import { TAG } from './names.js';
import { debugSections } from './sections.js';
import { readUnits, type Unit } from './units.js';

const LONGEST_CHAIN = 8;
/** Behind all that one file can have. */
const SHARED_BASE = 2 ** 40;

export class DebugInfo {
  readonly units: readonly Unit[];
  readonly #file: string;
  readonly #entries = new Map<Unit, ReadonlyMap<number, Entry>>();
  readonly #functions = new Map<Unit, Map<number, Entry>>();
  readonly #signatures = new Map<string, Unit>();
  readonly #code: readonly { readonly low: number; readonly high: number; readonly unit: Unit }[];

  constructor(file: string, units: readonly Unit[]) {
    this.#file = file;
    this.units = [...units].sort((a, b) => startOf(a) - startOf(b));
    for (const unit of units) if (unit.signature !== null) this.#signatures.set(unit.signature, unit);
    this.#code = units
      .flatMap((unit) => unit.ranges.map(({ low, high }) => ({ low, high, unit })))
      .sort((a, b) => a.low - b.low);
  }

  /** The unit whose code holds `address`, or null. */
  unitAt(address: number): Unit | null {
    const range = this.#code[lastBelow(this.#code, ({ low }) => low, address)];
    return range !== undefined && address < range.high ? range.unit : null;
  }

  /** The function whose code begins at `address`, or holds it if none begins there; null for code without a description. */
  functionAt(address: number): Entry | null {
    const unit = this.unitAt(address);
    if (unit === null) return null;
    let known = this.#functions.get(unit);
    if (!known) {
      known = new Map();
      this.#functions.set(unit, known);
      for (const entry of this.entriesOf(unit).values())
        if (entry.tag === TAG.subprogram) for (const { low } of entry.ranges) known.set(low, entry);
    }
    return known.get(address) ?? null;
  }

  /** Throws ElfError. */
  entriesOf(unit: Unit): ReadonlyMap<number, Entry> {
    let entries = this.#entries.get(unit);
    if (!entries) {
      entries = described(this.#file, (place) => readEntries(unit, place));
      this.#entries.set(unit, entries);
    }
    return entries;
  }

  /** What a reference leads to; null for none, and for one that leads to nothing that is wanted. */
  entry(link: Link): Entry | null {
    if (link === 0) return null;
    if (typeof link === 'string') {
      const unit = this.#signatures.get(link);
      return unit ? this.entry(unit.sections.base + unit.start + unit.typeAt) : null;
    }
    const unit = this.units[lastBelow(this.units, startOf, link)];
    return unit ? (this.entriesOf(unit).get(link) ?? null) : null;
  }

  /** The entry and what it completes or is an instance of, nearest first. */
  chain(entry: Entry): Entry[] {
    const chain = [entry];
    for (let next = this.entry(entry.origin); next && chain.length < LONGEST_CHAIN; next = this.entry(next.origin))
      chain.push(next);
    return chain;
  }
}

const startOf = (unit: Unit): number => unit.sections.base + unit.start;

/** Index of the last element whose key is at most `value`; -1 for none. The list is sorted by key. */
function lastBelow<T>(list: readonly T[], key: (element: T) => number, value: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(list[middle]!) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const known = new WeakMap<ElfImage, DebugInfo | null>();

/** The file's debugging information, or null if it has none. Throws ElfError if it is damaged. */
export function debugInfoOf(image: ElfImage): DebugInfo | null {
  let info = known.get(image);
  if (info === undefined) {
    info = described(image.file, (place) => open(image, place));
    known.set(image, info);
  }
  return info;
}

function open(image: ElfImage, place: { at: number }): DebugInfo | null {
  const shared = image.sharedDebugSections && debugSections(image.sharedDebugSections, SHARED_BASE, null);
  const found = debugSections(image.debugSections, 0, shared ? shared.main : null);
  if (found === null) return null;
  const units = readUnits(found.main, false, place);
  for (const more of [found.types, shared?.types])
    if (more) for (const unit of readUnits(more, true, place)) units.push(unit);
  if (shared) for (const unit of readUnits(shared.main, false, place)) units.push(unit);
  return new DebugInfo(image.file, units);
}

function described<T>(file: string, read: (place: { at: number }) => T): T {
  const place = { at: 0 };
  try {
    return read(place);
  } catch (cause) {
    if (cause instanceof ElfError) throw cause;
    throw new ElfError('DEBUG', {
      file,
      place: `.debug_info+0x${place.at.toString(16)}`,
      expected: 'DWARF 4 or 5',
      found: cause instanceof Error ? cause.message : String(cause),
      advice: 'build with -gdwarf-5, or strip it with `strip -g`',
      cause,
    });
  }
}
