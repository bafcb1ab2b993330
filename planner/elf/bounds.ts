// SPDX-License-Identifier: MIT
/**
 * What a file may ask for. The tables of an ELF file may point at the same bytes over and over, so a small file could be large work:
 * sections that share bytes, symbols that share one long name, functions that reach over each other. No linker makes such
 * files, and with these limits the work is bounded by the file's size.
 */
import { ElfError, type ElfErrorCode } from './error.js';
import { isLoaded, type Section } from './sections.js';
import { STT_FUNC, STT_IFUNC, STT_OBJECT, viewOf } from './symbols.js';

export const MOST_SECTIONS = 2048;
export const LONGEST_SECTION_NAME = 4096;
const MOST_NAME_BYTES = 2 ** 30;
/** Several names for one function, and functions within functions, are in order; not a thousand. */
const MOST_OVER_EACH_OTHER = 16;

const SHT = { symtab: 2, dynsym: 11, verneed: 0x6ffffffe } as const;
const SYMBOL = 24;
const VERSION = 16;

/** Throws ElfError. `fileSize` in bytes. */
export function checkBounds(file: string, fileSize: number, sections: readonly Section[]): void {
  const fail = (code: ElfErrorCode, place: string, expected: string, found: string): never => {
    throw new ElfError(code, { file, place, expected, found, advice: 'the file is damaged' });
  };
  const held = sections.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (held > 2 * fileSize) fail('SECTION', 'sections', 'bytes of their own for each', `${held} in ${fileSize}`);
  const loaded = sections.filter(isLoaded).reduce((sum, { size }) => sum + size, 0);
  for (const section of sections) {
    const step = section.type === SHT.verneed ? VERSION : SYMBOL;
    if (section.type !== SHT.symtab && section.type !== SHT.dynsym && section.type !== SHT.verneed) continue;
    const strings = sections[section.link]?.bytes ?? new Uint8Array(0);
    const count = Math.floor(section.bytes.length / step);
    const names = count * longestIn(strings);
    if (names > MOST_NAME_BYTES && (step === VERSION || nameBytes(section, strings) > MOST_NAME_BYTES))
      fail('SYMBOL', section.name, `names of at most ${MOST_NAME_BYTES} bytes together`, `more in ${count} entries`);
    if (step === SYMBOL && extentOf(section) > MOST_OVER_EACH_OTHER * loaded + 65536)
      fail('SYMBOL', section.name, 'functions and objects beside each other', 'more of them than there are bytes');
  }
}

/** Length of the longest text. */
function longestIn(strings: Uint8Array): number {
  let longest = 0;
  for (let at = 0; at < strings.length; ) {
    const end = strings.indexOf(0, at);
    if (end < 0) return Math.max(longest, strings.length - at);
    longest = Math.max(longest, end - at);
    at = end + 1;
  }
  return longest;
}

/** Of all names together, counted no further than the limit. */
function nameBytes({ bytes }: Section, strings: Uint8Array): number {
  const view = viewOf(bytes);
  let sum = 0;
  for (let at = 0; at + SYMBOL <= bytes.length && sum <= MOST_NAME_BYTES; at += SYMBOL) {
    const name = view.getUint32(at, true);
    if (name >= strings.length) continue;
    const end = strings.indexOf(0, name);
    sum += (end < 0 ? strings.length : end) - name;
  }
  return sum;
}

/** Sizes of functions and objects together. */
function extentOf({ bytes }: Section): number {
  const view = viewOf(bytes);
  let sum = 0;
  for (let at = 0; at + SYMBOL <= bytes.length; at += SYMBOL) {
    const type = bytes[at + 4]! & 15;
    if (type !== STT_FUNC && type !== STT_IFUNC && type !== STT_OBJECT) continue;
    if (view.getUint16(at + 6, true) !== 0)
      sum += view.getUint32(at + 16, true) + view.getUint32(at + 20, true) * 2 ** 32;
  }
  return sum;
}
