// SPDX-License-Identifier: MIT
/**
 * Attribute values of DWARF 4 and 5. Every form is either understood or an error: skipping one of
 * unknown size would make garbage of everything behind it.
 */
import { viewOf } from '../symbols.js';

export class Cursor {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.#view = viewOf(bytes);
    this.at = at;
  }

  u8(): number {
    return this.#view.getUint8(this.at++);
  }
  u16(): number {
    this.at += 2;
    return this.#view.getUint16(this.at - 2, true);
  }
  u24(): number {
    return this.u16() + this.u8() * 0x10000;
  }
  u32(): number {
    this.at += 4;
    return this.#view.getUint32(this.at - 4, true);
  }
  u64(): number {
    this.at += 8;
    return Number(this.#view.getBigUint64(this.at - 8, true));
  }
  /** Four bytes, or eight in the 64-bit format. */
  offset(size: number): number {
    return size === 8 ? this.u64() : this.u32();
  }
  /** Unsigned LEB128; exact up to 2^53. */
  uleb(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if ((byte & 0x80) === 0) return value;
      scale *= 128;
    }
  }
  sleb(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if ((byte & 0x80) === 0) return byte & 0x40 ? value - scale : value;
    }
  }
  skipText(): void {
    const end = this.bytes.indexOf(0, this.at);
    this.at = end < 0 ? this.bytes.length : end + 1;
  }
}

/** The sections that one .debug_info needs; absent ones are empty. */
export interface DebugSections {
  readonly info: Uint8Array;
  readonly abbrev: Uint8Array;
  readonly str: Uint8Array;
  readonly lineStr: Uint8Array;
  readonly strOffsets: Uint8Array;
  readonly addr: Uint8Array;
  readonly ranges: Uint8Array;
  readonly rnglists: Uint8Array;
  /** Where this .debug_info starts among all that are read together: offsets of entries count from there. */
  readonly base: number;
  /** Of a file that dwz made with what several files share (.gnu_debugaltlink). */
  readonly shared: DebugSections | null;
}

export interface UnitHeader {
  readonly sections: DebugSections;
  /** Offsets in `sections.info`: of the header, which references within the unit count from, and behind the unit. */
  readonly start: number;
  readonly end: number;
  /** Of the first entry. */
  readonly root: number;
  readonly version: number;
  readonly addressSize: number;
  /** 4, or 8 in the 64-bit format. */
  readonly offsetSize: number;
  readonly abbrevAt: number;
  /** Of a type unit: the entry that the signature stands for, else null. */
  readonly signature: string | null;
  readonly typeAt: number;
}

/** What indexed forms count from; they stand in the unit's first entry. */
export interface UnitBases {
  strOffsets: number;
  addr: number;
  rnglists: number;
}

/** Text that ends with NUL, decoded only if somebody wants it; or a block of `size` bytes. */
export interface Slice {
  readonly bytes: Uint8Array;
  readonly at: number;
  /** -1 for a text. */
  readonly size: number;
}

/** Of a reference the offset of the entry, counted over all sections that are read together. */
export type Value = number | string | Slice | null;

export const FORM = { addrx: 0x1b, rnglistx: 0x23, implicitConst: 0x21, refSig8: 0x20, secOffset: 0x17 } as const;

export function readForm(cursor: Cursor, form: number, implicit: number, unit: UnitHeader, bases: UnitBases): Value {
  const { sections, offsetSize } = unit;
  switch (form) {
    case 0x01: // addr
      return unit.addressSize === 8 ? cursor.u64() : cursor.u32();
    case 0x0b: // data1
    case 0x0c: // flag
      return cursor.u8();
    case 0x05: // data2
      return cursor.u16();
    case 0x06: // data4
      return cursor.u32();
    case 0x07: // data8
      return cursor.u64();
    case 0x0d:
      return cursor.sleb();
    case 0x0f: // udata
    case FORM.rnglistx:
    case 0x22: // loclistx
      return cursor.uleb();
    case FORM.secOffset:
      return cursor.offset(offsetSize);
    case 0x19: // flag_present
      return 1;
    case FORM.implicitConst:
      return implicit;
    case 0x11: // ref1
      return sections.base + unit.start + cursor.u8();
    case 0x12:
      return sections.base + unit.start + cursor.u16();
    case 0x13:
      return sections.base + unit.start + cursor.u32();
    case 0x14:
      return sections.base + unit.start + cursor.u64();
    case 0x15:
      return sections.base + unit.start + cursor.uleb();
    case 0x10: // ref_addr
      return sections.base + cursor.offset(offsetSize);
    case 0x1c: // ref_sup4
      return sharedOf(unit).base + cursor.u32();
    case 0x24: // ref_sup8
      return sharedOf(unit).base + cursor.u64();
    case 0x1f20: // GNU_ref_alt
      return sharedOf(unit).base + cursor.offset(offsetSize);
    case FORM.refSig8: {
      const at = cursor.at;
      cursor.at += 8;
      return Buffer.from(cursor.bytes.subarray(at, at + 8)).toString('hex');
    }
    default:
      return readText(cursor, form, unit, bases) ?? readBlock(cursor, form, unit, bases);
  }
}

function sharedOf({ sections }: UnitHeader): DebugSections {
  if (sections.shared === null) throw new RangeError('a reference into the file that .gnu_debugaltlink names');
  return sections.shared;
}

function readText(cursor: Cursor, form: number, unit: UnitHeader, bases: UnitBases): Slice | null {
  const { sections, offsetSize } = unit;
  const text = (bytes: Uint8Array, at: number): Slice => ({ bytes, at, size: -1 });
  const indexed = (index: number): Slice => {
    const table = new Cursor(sections.strOffsets, bases.strOffsets + index * offsetSize);
    return text(sections.str, sections.strOffsets.length === 0 ? 0 : table.offset(offsetSize));
  };
  switch (form) {
    case 0x08: {
      const at = cursor.at;
      cursor.skipText();
      return text(cursor.bytes, at);
    }
    case 0x0e: // strp
      return text(sections.str, cursor.offset(offsetSize));
    case 0x1f: // line_strp
      return text(sections.lineStr, cursor.offset(offsetSize));
    case 0x1d: // strp_sup
    case 0x1f21: // GNU_strp_alt
      return text(sharedOf(unit).str, cursor.offset(offsetSize));
    case 0x1a: // strx
    case 0x1f02: // GNU_str_index
      return indexed(cursor.uleb());
    case 0x25:
      return indexed(cursor.u8());
    case 0x26:
      return indexed(cursor.u16());
    case 0x27:
      return indexed(cursor.u24());
    case 0x28:
      return indexed(cursor.u32());
    default:
      return null;
  }
}

function readBlock(cursor: Cursor, form: number, unit: UnitHeader, bases: UnitBases): Value {
  const { sections, addressSize } = unit;
  const block = (size: number): Slice => {
    const at = cursor.at;
    cursor.at += size;
    return { bytes: cursor.bytes, at, size };
  };
  const address = (index: number): number | null =>
    sections.addr.length === 0 ? null : new Cursor(sections.addr, bases.addr + index * addressSize).offset(addressSize);
  switch (form) {
    case 0x0a: // block1
      return block(cursor.u8());
    case 0x03:
      return block(cursor.u16());
    case 0x04:
      return block(cursor.u32());
    case 0x09: // block
    case 0x18: // exprloc
      return block(cursor.uleb());
    case 0x1e: // data16
      return block(16);
    case 0x16: // indirect
      return readForm(cursor, cursor.uleb(), 0, unit, bases);
    case FORM.addrx:
    case 0x1f01: // GNU_addr_index
      return address(cursor.uleb());
    case 0x29:
      return address(cursor.u8());
    case 0x2a:
      return address(cursor.u16());
    case 0x2b:
      return address(cursor.u24());
    case 0x2c:
      return address(cursor.u32());
    default:
      throw new RangeError(`attribute form 0x${form.toString(16)}`);
  }
}
