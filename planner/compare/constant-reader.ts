// SPDX-License-Identifier: MIT
/** Reads one side's constants, asked a million times: the section of the last one is remembered, and nothing is copied. */
import { type ElfImage, sectionAt } from '../elf/image.js';
import { isCode, isConstant, isLinkage, type Section } from '../elf/sections.js';
import type { Side } from './side.js';

export class ConstantReader {
  readonly #image: ElfImage;
  readonly #code: readonly Section[];
  /** Sections that the loader writes to. */
  readonly #filled = new Set<Section>();
  #section: Section | null = null;

  constructor({ image }: Side) {
    this.#image = image;
    this.#code = image.sections.filter(isCode);
    const { relocations } = image;
    for (const section of image.sections) {
      const first = relocations.firstFrom(section.address - 7);
      if (first < relocations.size && relocations.addresses[first]! < section.address + section.size)
        this.#filled.add(section);
    }
  }

  /** The section with constants that holds `address`, if it is in the file. */
  constantAt(address: number): Section | null {
    const known = this.#section;
    if (known !== null && address >= known.address && address < known.address + known.bytes.length) return known;
    const section = sectionAt(this.#image, address);
    if (section === null || !isConstant(section) || section.bytes.length === 0) return null;
    this.#section = section;
    return section;
  }

  isCode(address: number): boolean {
    return this.#code.some((section) => address >= section.address && address < section.address + section.size);
  }

  isSlot(address: number): boolean {
    const section = sectionAt(this.#image, address);
    return section !== null && isLinkage(section);
  }

  /** Whether the loader writes there, in the section that was asked for last. */
  isFilled(start: number, end: number): boolean {
    if (this.#section !== null && !this.#filled.has(this.#section)) return false;
    const { relocations } = this.#image;
    const index = relocations.firstFrom(start - 7);
    return index < relocations.size && relocations.addresses[index]! < end;
  }

  /** What is at `address` looks like a jump table: a distance that leads from there into code. */
  isTable(address: number): boolean {
    if (address % 4 !== 0 || this.constantAt(address) === null) return false;
    const to = this.entryAt(address, 0);
    return this.#code.some((section) => to >= section.address && to <= section.address + section.size);
  }

  /** What is at `address` could be a distance that leads from there to a constant, as a small number could be. */
  leadsToConstant(address: number): boolean {
    if (address % 4 !== 0 || this.constantAt(address) === null) return false;
    return this.entryAt(address, 0) !== address && this.isDistance(address, 0, 4);
  }

  /** An entry of a table of `size` bytes leads to a constant, and not into the table itself. */
  isDistance(table: number, offset: number, size: number): boolean {
    const to = this.entryAt(table, offset);
    if (to < 0 || (to >= table && to < table + size)) return false;
    const section = sectionAt(this.#image, to);
    return section !== null && isConstant(section);
  }

  /** -1 if there is none in the file. */
  entryAt(table: number, offset: number): number {
    const section = this.constantAt(table);
    if (section === null) return -1;
    const at = table - section.address + offset;
    if (at + 4 > section.bytes.length) return -1;
    return table + distanceAt(section.bytes, at);
  }
}

/** The signed four bytes at `at`. */
export const distanceAt = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
