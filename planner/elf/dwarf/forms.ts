// SPDX-License-Identifier: MIT
/**
 * Attribute values of DWARF 4 and 5, 32-bit format. Every form is either understood or an error: skipping one of
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
  u32(): number {
    this.at += 4;
    return this.#view.getUint32(this.at - 4, true);
  }
  u64(): number {
    this.at += 8;
    return Number(this.#view.getBigUint64(this.at - 8, true));
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
  /** Its argument may move the cursor itself: a length that was just read. */
  skip(size: number): void {
    this.at += size;
  }
  skipText(): void {
    const end = this.bytes.indexOf(0, this.at);
    this.at = end < 0 ? this.bytes.length : end + 1;
  }
}

export interface Unit {
  /** Offset of the unit's header in .debug_info: what ref4 counts from. */
  readonly start: number;
  readonly end: number;
  readonly version: number;
  readonly addressSize: number;
}

export interface StringSections {
  readonly debugStr: Uint8Array;
  readonly debugLineStr: Uint8Array;
}

/** A string that is decoded only if somebody wants it. */
export type Value = number | { readonly in: Uint8Array; readonly at: number } | null;

export function readForm(cursor: Cursor, form: number, implicit: number, unit: Unit, strings: StringSections): Value {
  switch (form) {
    case 0x01: // addr
      return unit.addressSize === 8 ? cursor.u64() : cursor.u32();
    case 0x0b: // data1
    case 0x0c: // flag
      return cursor.u8();
    case 0x05: // data2
      return cursor.u16();
    case 0x06: // data4
    case 0x17: // sec_offset
      return cursor.u32();
    case 0x07: // data8
      return cursor.u64();
    case 0x20: // ref_sig8
      cursor.at += 8;
      return null;
    case 0x1e: // data16
      cursor.at += 16;
      return null;
    case 0x08: {
      const at = cursor.at;
      cursor.skipText();
      return { in: cursor.bytes, at };
    }
    case 0x0e: // strp
      return { in: strings.debugStr, at: cursor.u32() };
    case 0x1f: // line_strp
      return { in: strings.debugLineStr, at: cursor.u32() };
    case 0x0d:
      return cursor.sleb();
    case 0x0f: // udata
      return cursor.uleb();
    case 0x11: // ref1
      return unit.start + cursor.u8();
    case 0x12:
      return unit.start + cursor.u16();
    case 0x13:
      return unit.start + cursor.u32();
    case 0x14:
      return unit.start + cursor.u64();
    case 0x15:
      return unit.start + cursor.uleb();
    case 0x10: // ref_addr
      return cursor.u32();
    case 0x19: // flag_present
      return 1;
    case 0x21: // implicit_const
      return implicit;
    case 0x0a: // block1
      cursor.skip(cursor.u8());
      return null;
    case 0x03:
      cursor.skip(cursor.u16());
      return null;
    case 0x04:
      cursor.skip(cursor.u32());
      return null;
    case 0x09: // block
    case 0x18: // exprloc
      cursor.skip(cursor.uleb());
      return null;
    case 0x16: // indirect
      return readForm(cursor, cursor.uleb(), 0, unit, strings);
    case 0x1a: // strx
    case 0x1b: // addrx
    case 0x22: // loclistx
    case 0x23: // rnglistx
      cursor.uleb();
      return null;
    case 0x25: // strx1
    case 0x29: // addrx1
      cursor.at += 1;
      return null;
    case 0x26:
    case 0x2a:
      cursor.at += 2;
      return null;
    case 0x27:
    case 0x2b:
      cursor.at += 3;
      return null;
    case 0x28:
    case 0x2c:
      cursor.at += 4;
      return null;
    default:
      throw new RangeError(`attribute form 0x${form.toString(16)}`);
  }
}
