// SPDX-License-Identifier: MIT
/**
 * Addresses in the data of a program that is not position-independent. The linker has filled them in, and the loader has nothing
 * to do: there is no list. --emit-relocs keeps one, and then that counts; otherwise an aligned word whose value is the address of something
 * loaded is taken for one. The result has the form of what a position-independent program's loader does, so that all else is one for both.
 *
 * Texts are what may look like it: a word in the middle of one, or at its end, is none.
 */
import { R_X86_64, type Relocation } from './relocations.js';
import { isCode, isLoaded, type Section } from './sections.js';
import { type ElfSymbol, viewOf } from './symbols.js';

const WORD = 8;
/** Programs may keep addresses in any section with content; these are the loader's, the linker's or the unwinder's. */
const NO_HOMES = /^\.(got\.plt|interp|note|gnu\.|hash|dyn|rela?\.|eh_frame|gcc_except_table|tdata|tm_clone_table)/;
/** SHT_PROGBITS and the arrays of constructors. */
const CONTENT: readonly number[] = [1, 14, 15, 16];

/** `kept`: the relocations that --emit-relocs kept, by section number; a section that is not among them has none. */
export function pointersIn(
  sections: readonly Section[],
  symbols: readonly ElfSymbol[],
  kept: ReadonlyMap<number, readonly Relocation[]>,
): Relocation[] {
  const spans = sections.filter((section) => isLoaded(section) && section.size > 0);
  const low = Math.min(...spans.map(({ address }) => address));
  const high = Math.max(...spans.map(({ address, size }) => address + size));
  const isAddress = (value: number) =>
    value >= low && value <= high && spans.some(({ address, size }) => value >= address && value <= address + size);
  return sections
    .filter((section) => isHome(section))
    .flatMap((section) => {
      const known = kept.get(section.index);
      if (known !== undefined)
        return known
          .filter(({ type }) => type === R_X86_64.abs64)
          .map(({ address, symbol, addend }) => pointer(address, (symbols[symbol]?.value ?? 0) + addend))
          .filter(({ addend }) => isAddress(addend));
      return guessed(section, isAddress);
    });
}

const isHome = (section: Section): boolean =>
  isLoaded(section) &&
  !isCode(section) &&
  section.bytes.length > 0 &&
  CONTENT.includes(section.type) &&
  !NO_HOMES.test(section.name);

function guessed({ address, bytes }: Section, isAddress: (value: number) => boolean): Relocation[] {
  const view = viewOf(bytes);
  const found: Relocation[] = [];
  for (let at = (WORD - (address % WORD)) % WORD; at + WORD <= bytes.length; at += WORD) {
    if (view.getUint32(at + 4, true) !== 0) continue;
    const value = view.getUint32(at, true);
    if (isAddress(value) && !isText(bytes, at)) found.push(pointer(address + at, value));
  }
  return found;
}

const pointer = (address: number, to: number): Relocation => ({
  address,
  type: R_X86_64.relative,
  symbol: 0,
  addend: to,
});

/** A word of letters before it, and letters in it: what compilers align to words are long texts. */
function isText(bytes: Uint8Array, at: number): boolean {
  const isLetter = (byte: number) => (byte >= 0x20 && byte < 0x7f) || (byte >= 9 && byte <= 13);
  if (at < WORD || !bytes.subarray(at - WORD, at).every(isLetter)) return false;
  for (let i = at; bytes[i] !== 0; i++) if (!isLetter(bytes[i]!)) return false;
  return true;
}
