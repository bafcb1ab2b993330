// SPDX-License-Identifier: MIT
/**
 * Where things begin: everything that code or data points at is the start of something, and so is the end of an object or a section. A bit
 * per address of each section, so that the next start is found by walking over a few words.
 *
 * A function's references to itself are left out: nothing else begins inside of it.
 */
import { instructionAt, instructionCount } from '../core/instruction.js';
import { listTargets, mapStart, type SweepSide, sweepable } from '../core/sweep.js';
import type { ElfImage } from '../elf/image.js';
import { R_X86_64 } from '../elf/relocations.js';
import { isLoaded, isTlsBss, type Section } from '../elf/sections.js';
import { firstWhere } from '../elf/symbols.js';
import type { CodeFunction } from '../match/functions.js';
import type { DataObject } from '../match/objects.js';
import type { Things } from '../match/things.js';
import { codeOf, loadedRange } from './code-range.js';
import { possibleAddresses } from './operands.js';

interface Marked {
  readonly start: number;
  readonly end: number;
  /** Address of bit 0: `start` rounded down to a multiple of 32. */
  readonly base: number;
  /** Empty for a section without content: nothing in it is told apart. */
  readonly bits: Uint32Array;
}

export class StartMap {
  readonly #sections: readonly Marked[];
  /** Of the address that was looked for last: the section that begins at or before it, and where that and the next one begin. */
  #near: Marked | undefined = undefined;
  #from = Number.POSITIVE_INFINITY;
  #until = 0;

  /** `targets`: the sweep's map for this side; without it the functions are decoded once more. */
  constructor(
    image: ElfImage,
    functions: Things<CodeFunction>,
    objects: Things<DataObject>,
    targets: Uint32Array | null,
  ) {
    const range = loadedRange(image);
    const map = targets ?? (sweepable(range) ? allTargets(image, functions) : null);
    const low = mapStart(range.low);
    const sections = image.sections.filter((section) => isLoaded(section) && section.address > 0 && !isTlsBss(section));
    this.#sections = sections
      .map((section) => marksOf(section, map === null ? null : { map, low }))
      .sort((a, b) => a.start - b.start);
    if (map === null) for (const fn of functions) this.#markTargets(fn);
    const { addends, types, size } = image.relocations;
    for (let i = 0; i < size; i++) if (types[i] === R_X86_64.relative) this.mark(addends[i]!);
    if (image.kind === 'exec') for (const fn of functions) for (const value of possibleAddresses(fn)) this.mark(value);
    for (let i = 0; i < objects.length; i++) {
      this.mark(objects.columns.addresses[i]!);
      this.mark(objects.endOf(i));
    }
  }

  /** The first start above `address`; the largest safe integer if there is none. */
  next(address: number): number {
    const section = this.#startingBefore(address);
    const following = this.#until;
    if (section === undefined || address >= section.end) return following;
    return Math.min(nextBit(section, address + 1), section.end, following);
  }

  has(address: number): boolean {
    return this.next(address - 1) === address;
  }

  /** The last section that begins at or before `address`; who asks for one address mostly goes on in the same section. */
  #startingBefore(address: number): Marked | undefined {
    if (address < this.#from || address >= this.#until) {
      const above = firstWhere(this.#sections.length, (i) => this.#sections[i]!.start > address);
      this.#near = this.#sections[above - 1];
      this.#from = this.#near?.start ?? Number.NEGATIVE_INFINITY;
      this.#until = this.#sections[above]?.start ?? Number.MAX_SAFE_INTEGER;
    }
    return this.#near;
  }

  /** Something begins there. */
  mark(address: number): void {
    const section = this.#startingBefore(address);
    if (section === undefined || address >= section.end || section.bits.length === 0) return;
    const bit = address - section.base;
    section.bits[bit >>> 5]! |= 1 << (bit & 31);
  }

  #markTargets(fn: CodeFunction): void {
    const base = fn.address - fn.section.address;
    for (let i = 0; i < instructionCount(fn.code.rows); i++) {
      const { offset, length, distance, fieldSize } = instructionAt(fn.code.rows, i, base);
      const to = offset + length + distance;
      if (fieldSize > 0 && (to < 0 || to >= fn.size)) this.mark(fn.address + to);
    }
  }
}

const NO_PLACES: SweepSide['places'] = {
  starts: new Uint32Array(0),
  ends: new Uint32Array(0),
  identities: new Uint32Array(0),
  blocks: new Uint32Array(0),
  low: 0,
};

function allTargets(image: ElfImage, { length, columns: { addresses, sizes } }: Things<CodeFunction>): Uint32Array {
  const single = new Uint32Array(length * 2);
  for (let i = 0; i < length; i++) {
    single[i * 2] = addresses[i]!;
    single[i * 2 + 1] = sizes[i]!;
  }
  return listTargets({ ...loadedRange(image), code: codeOf(image), places: NO_PLACES, single });
}

function marksOf({ address, size, bytes }: Section, known: { map: Uint32Array; low: number } | null): Marked {
  const base = mapStart(address);
  const words = bytes.length === 0 ? 0 : Math.ceil((address + size - base) / 32);
  const first = known && (base - known.low) / 32;
  const bits = known ? known.map.subarray(first!, first! + words) : new Uint32Array(words);
  return { start: address, end: address + size, base, bits };
}

/** Address of the first bit that is set at or above `address`. */
function nextBit({ bits, base }: Marked, address: number): number {
  let word = (address - base) >>> 5;
  if (word >= bits.length) return Number.MAX_SAFE_INTEGER;
  let value = bits[word]! & (-1 << ((address - base) & 31));
  while (value === 0) {
    word++;
    if (word >= bits.length) return Number.MAX_SAFE_INTEGER;
    value = bits[word]!;
  }
  return base + word * 32 + (31 - Math.clz32(value & -value));
}
