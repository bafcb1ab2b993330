// SPDX-License-Identifier: MIT
/** Relocation sections: what the loader fills in (.rela.dyn, .rela.plt), and what --emit-relocs keeps (.rela.text). */
import { ElfError } from './error.js';
import type { Section } from './sections.js';
import { viewOf } from './symbols.js';

export const R_X86_64 = {
  none: 0,
  abs64: 1,
  pc32: 2,
  plt32: 4,
  copy: 5,
  globDat: 6,
  jumpSlot: 7,
  relative: 8,
  gotpcrel: 9,
  abs32: 10,
  abs32s: 11,
  dtpmod64: 16,
  dtpoff64: 17,
  tpoff64: 18,
  irelative: 37,
  gotpcrelx: 41,
  rexGotpcrelx: 42,
} as const;

export interface Relocation {
  /** Link-time address of the field. */
  readonly address: number;
  readonly type: number;
  /** Index into the symbol table that the section is linked to. */
  readonly symbol: number;
  readonly addend: number;
}

const ENTRY = 24;
const SHT_RELA = 4;

/** All entries of the RELA sections that `wanted` picks; symbol indices are checked against `symbols`. */
export function readRelocations(
  file: string,
  sections: readonly Section[],
  wanted: (section: Section) => boolean,
  symbols: number,
): Relocation[] {
  const all: Relocation[] = [];
  for (const section of sections) {
    if (section.type !== SHT_RELA || !wanted(section)) continue;
    const view = viewOf(section.bytes);
    for (let at = 0; at + ENTRY <= section.bytes.length; at += ENTRY) {
      const address = view.getBigUint64(at, true);
      const symbol = view.getUint32(at + 12, true);
      const addend = view.getBigInt64(at + 16, true);
      const distance = addend < 0n ? -addend : addend;
      if (address >= 1n << 47n || distance >= 1n << 53n || symbol >= Math.max(1, symbols))
        throw new ElfError('SECTION', {
          file,
          place: `${section.name} entry ${at / ENTRY}`,
          expected: `an address below 2^47 and a symbol below ${symbols}`,
          found: `address 0x${address.toString(16)}, symbol ${symbol}, addend ${addend}`,
          advice: 'the file is damaged',
        });
      all.push({ address: Number(address), type: view.getUint32(at + 8, true), symbol, addend: Number(addend) });
    }
  }
  return all;
}
