// SPDX-License-Identifier: MIT
/** Of an image, what the sweep lays out in the core's memory: its code, and between which addresses everything loaded lies. */
import type { ElfImage } from '../elf/image.js';
import { isCode, isLoaded, type Section } from '../elf/sections.js';

/** The first loaded address, and the first behind the last; both 0 if nothing is loaded. */
export function loadedRange({ sections }: ElfImage): { low: number; high: number } {
  const loaded = sections.filter((section) => isLoaded(section) && section.address > 0);
  if (loaded.length === 0) return { low: 0, high: 0 };
  return {
    low: Math.min(...loaded.map(({ address }) => address)),
    high: Math.max(...loaded.map(({ address, size }) => address + size)),
  };
}

/** Sections with code that is in the file. */
export const codeOf = ({ sections }: ElfImage): Section[] =>
  sections.filter((section) => isCode(section) && section.bytes.length > 0);
