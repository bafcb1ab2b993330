// SPDX-License-Identifier: MIT
/**
 * What a file may ask for. The tables of an ELF file may point at the same bytes over and over, so a small file could be large work:
 * sections that share bytes, symbols that share one long name, functions that reach over each other. No linker makes such
 * files, and with these limits the work is bounded by the file's size.
 */
import { ElfError, type ElfErrorCode } from './error.js';
import { isLoaded, placeOf, type Section } from './sections.js';
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
    const isMany = count > 0 && hasLonger(strings, Math.floor(MOST_NAME_BYTES / count));
    if (isMany && (step === VERSION || nameBytes(section, strings) > MOST_NAME_BYTES))
      fail(
        'SYMBOL',
        placeOf(section),
        `names of at most ${MOST_NAME_BYTES} bytes together`,
        `more in ${count} entries`,
      );
    if (step === SYMBOL && extentOf(section) > MOST_OVER_EACH_OTHER * loaded + 65536)
      fail('SYMBOL', placeOf(section), 'functions and objects beside each other', 'more of them than there are bytes');
  }
}

/** Whether a text is longer than `length`: then a stretch of that length has no end in it. Looks at few bytes of many texts. */
function hasLonger(strings: Uint8Array, length: number): boolean {
  for (let start = 0; start + length < strings.length; ) {
    // the last end among the bytes that a text from `start` of this length and its own end would have
    const end = strings.lastIndexOf(0, start + length);
    if (end < start) return true;
    start = end + 1;
  }
  return false;
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
