// SPDX-License-Identifier: MIT
/**
 * The relocation types of the x86-64 psABI: those that new code may carry, with how each is computed, and the names of
 * the others, so that a refusal can say what it met.
 *
 * S symbol, A addend, P place, G the slot that holds S, L a stub that jumps to S (or S itself).
 */

export interface Relocation {
  readonly name: string;
  readonly bits: 8 | 16 | 32 | 64;
  /** P is subtracted. */
  readonly relative: boolean;
  /** What stands in S's place. */
  readonly via: 'symbol' | 'stub' | 'slot';
  /** How the result must fit: as a signed or an unsigned number. */
  readonly sign: 'signed' | 'unsigned';
}

type Row = readonly [number, string, Relocation['bits'], boolean, Relocation['via'], Relocation['sign']];

const rows: readonly Row[] = [
  [1, 'R_X86_64_64', 64, false, 'symbol', 'unsigned'],
  [2, 'R_X86_64_PC32', 32, true, 'symbol', 'signed'],
  [4, 'R_X86_64_PLT32', 32, true, 'stub', 'signed'],
  [9, 'R_X86_64_GOTPCREL', 32, true, 'slot', 'signed'],
  [10, 'R_X86_64_32', 32, false, 'symbol', 'unsigned'],
  [11, 'R_X86_64_32S', 32, false, 'symbol', 'signed'],
  [12, 'R_X86_64_16', 16, false, 'symbol', 'unsigned'],
  [13, 'R_X86_64_PC16', 16, true, 'symbol', 'signed'],
  [14, 'R_X86_64_8', 8, false, 'symbol', 'unsigned'],
  [15, 'R_X86_64_PC8', 8, true, 'symbol', 'signed'],
  [24, 'R_X86_64_PC64', 64, true, 'symbol', 'signed'],
  [28, 'R_X86_64_GOTPCREL64', 64, true, 'slot', 'signed'],
  [41, 'R_X86_64_GOTPCRELX', 32, true, 'slot', 'signed'],
  [42, 'R_X86_64_REX_GOTPCRELX', 32, true, 'slot', 'signed'],
];

export const RELOCATIONS: ReadonlyMap<number, Relocation> = new Map(
  rows.map(([type, name, bits, relative, via, sign]) => [type, { name, bits, relative, via, sign }]),
);

const REFUSED: Readonly<Record<number, string>> = {
  0: 'NONE',
  3: 'GOT32',
  5: 'COPY',
  6: 'GLOB_DAT',
  7: 'JUMP_SLOT',
  8: 'RELATIVE',
  16: 'DTPMOD64',
  17: 'DTPOFF64',
  18: 'TPOFF64',
  19: 'TLSGD',
  20: 'TLSLD',
  21: 'DTPOFF32',
  22: 'GOTTPOFF',
  23: 'TPOFF32',
  25: 'GOTOFF64',
  26: 'GOTPC32',
  27: 'GOT64',
  29: 'GOTPC64',
  30: 'GOTPLT64',
  31: 'PLTOFF64',
  32: 'SIZE32',
  33: 'SIZE64',
  34: 'GOTPC32_TLSDESC',
  35: 'TLSDESC_CALL',
  36: 'TLSDESC',
  37: 'IRELATIVE',
};

/** The psABI's name of relocation type `type`. */
export function relocationName(type: number): string {
  return RELOCATIONS.get(type)?.name ?? (REFUSED[type] ? `R_X86_64_${REFUSED[type]}` : `number ${type}`);
}
