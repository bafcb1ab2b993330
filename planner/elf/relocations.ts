// SPDX-License-Identifier: MIT
/** Relocation sections: what the loader fills in (.rela.dyn, .rela.plt), and what --emit-relocs keeps (.rela.text). */
import { ElfError } from './error.js';
import { countBelow, orderOf } from './order.js';
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
  tlsdesc: 36,
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

/**
 * Relocations by the address they fill in, in columns: a large program has some hundred thousand, and few are looked at one by one.
 * Of several for one address the last one counts.
 */
export class RelocationTable {
  readonly size: number;
  /** Ascending. */
  readonly addresses: Float64Array;
  readonly types: Uint32Array;
  readonly symbols: Uint32Array;
  readonly addends: Float64Array;

  constructor(columns: Columns) {
    const { addresses, types, symbols, addends } = inOrder(columns);
    this.size = addresses.length;
    this.addresses = addresses;
    this.types = types;
    this.symbols = symbols;
    this.addends = addends;
  }

  /** This table with `others`, which count only where it has none itself. */
  over(others: readonly Relocation[]): RelocationTable {
    const both = [...others, ...this.values()];
    return new RelocationTable({
      addresses: Float64Array.from(both, ({ address }) => address),
      types: Uint32Array.from(both, ({ type }) => type),
      symbols: Uint32Array.from(both, ({ symbol }) => symbol),
      addends: Float64Array.from(both, ({ addend }) => addend),
    });
  }

  get(address: number): Relocation | undefined {
    const index = this.indexOf(address);
    return index < 0 ? undefined : this.at(index);
  }

  has(address: number): boolean {
    return this.indexOf(address) >= 0;
  }

  /** Index of the relocation that counts for `address`, or -1. */
  indexOf(address: number): number {
    const after = this.firstFrom(address + 1);
    return after > 0 && this.addresses[after - 1] === address ? after - 1 : -1;
  }

  /** Index of the first relocation at or above `address`; `size` if there is none. */
  firstFrom(address: number): number {
    return countBelow(this.addresses, address);
  }

  at(index: number): Relocation {
    return {
      address: this.addresses[index]!,
      type: this.types[index]!,
      symbol: this.symbols[index]!,
      addend: this.addends[index]!,
    };
  }

  /** Those of one type, in order of address. */
  *ofType(type: number): IterableIterator<Relocation> {
    for (let i = 0; i < this.size; i++) if (this.types[i] === type) yield this.at(i);
  }

  *values(): IterableIterator<Relocation> {
    for (let i = 0; i < this.size; i++) yield this.at(i);
  }
}

interface Columns {
  readonly addresses: Float64Array;
  readonly types: Uint32Array;
  readonly symbols: Uint32Array;
  readonly addends: Float64Array;
}

/** All entries of the RELA sections that `wanted` picks; symbol indices are checked against `symbols`. */
export function readRelocations(
  file: string,
  sections: readonly Section[],
  wanted: (section: Section) => boolean,
  symbols: number,
): RelocationTable {
  const tables = sections.filter((section) => section.type === SHT_RELA && wanted(section));
  const count = tables.reduce((sum, { bytes }) => sum + Math.floor(bytes.length / ENTRY), 0);
  const columns: Columns = {
    addresses: new Float64Array(count),
    types: new Uint32Array(count),
    symbols: new Uint32Array(count),
    addends: new Float64Array(count),
  };
  let i = 0;
  for (const { name, bytes } of tables) {
    const view = viewOf(bytes);
    for (let at = 0; at + ENTRY <= bytes.length; at += ENTRY, i++) {
      const addressHigh = view.getUint32(at + 4, true);
      const symbol = view.getUint32(at + 12, true);
      const addendHigh = view.getInt32(at + 20, true);
      if (addressHigh >= 0x8000 || addendHigh >= 0x200000 || addendHigh < -0x200000 || symbol >= Math.max(1, symbols))
        throw new ElfError('SECTION', {
          file,
          place: `${name} entry ${at / ENTRY}`,
          expected: `an address below 2^47 and a symbol below ${symbols}`,
          found: `address 0x${view.getBigUint64(at, true).toString(16)}, symbol ${symbol}, addend ${view.getBigInt64(at + 16, true)}`,
          advice: 'the file is damaged',
        });
      columns.addresses[i] = view.getUint32(at, true) + addressHigh * 2 ** 32;
      columns.types[i] = view.getUint32(at + 8, true);
      columns.symbols[i] = symbol;
      columns.addends[i] = view.getUint32(at + 16, true) + addendHigh * 2 ** 32;
    }
  }
  return new RelocationTable(columns);
}

function inOrder(columns: Columns): Columns {
  const order = orderOf(columns.addresses);
  let moved = 0;
  while (moved < order.length && order[moved] === moved) moved++;
  if (moved === order.length) return columns;
  const ordered = {
    addresses: new Float64Array(order.length),
    types: new Uint32Array(order.length),
    symbols: new Uint32Array(order.length),
    addends: new Float64Array(order.length),
  };
  for (let to = 0; to < order.length; to++) {
    const from = order[to]!;
    ordered.addresses[to] = columns.addresses[from]!;
    ordered.types[to] = columns.types[from]!;
    ordered.symbols[to] = columns.symbols[from]!;
    ordered.addends[to] = columns.addends[from]!;
  }
  return ordered;
}
