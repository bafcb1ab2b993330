// SPDX-License-Identifier: MIT
/**
 * Encoded pointers (DW_EH_PE_*), LEB128 numbers, and a cursor that never reads beyond its bytes: what .eh_frame and
 * .gcc_except_table are made of. Beyond the end everything is zero; the callers' lengths say where to stop.
 */
import { viewOf } from './symbols.js';

export interface Encoded {
  readonly encoding: number;
  /** Bytes. */
  readonly width: number;
  /** As it stands there; 0 is no pointer, whatever the encoding. */
  readonly raw: number;
  /** The link-time address it means, of the pointer's place if the encoding is indirect; null for none. */
  readonly value: number | null;
}

export const PCREL = 0x10;
const BASE = 0x70;

export interface Cursor {
  at: number;
  readonly bytes: Uint8Array;
  /** Link-time address of the first byte. */
  readonly address: number;
  byte(): number;
  leb(): number;
  signedLeb(): number;
  skipLeb(): void;
}

export function cursorOf(bytes: Uint8Array, address: number, at: number): Cursor {
  const next = (cursor: Cursor): number => bytes[cursor.at++] ?? 0;
  const number = (cursor: Cursor, signed: boolean): number => {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      const byte = next(cursor);
      value += (byte & 0x7f) * factor;
      factor *= 128;
      if (byte & 0x80) continue;
      return signed && byte & 0x40 ? value - factor : value;
    }
    return 0;
  };
  return {
    at,
    bytes,
    address,
    byte() {
      return next(this);
    },
    leb() {
      return number(this, false);
    },
    signedLeb() {
      return number(this, true);
    },
    skipLeb() {
      number(this, false);
    },
  };
}

/** Widths of the formats that have one; the others are variable and hold no pointers. */
const WIDTHS: ReadonlyMap<number, readonly [width: number, signed: boolean]> = new Map([
  [0x00, [8, false]],
  [0x02, [2, false]],
  [0x03, [4, false]],
  [0x04, [8, false]],
  [0x0a, [2, true]],
  [0x0b, [4, true]],
  [0x0c, [8, true]],
]);

export const widthOf = (encoding: number): number | null => WIDTHS.get(encoding & 0x0f)?.[0] ?? null;

/** The pointer at the cursor, which moves behind it; null for an encoding that nobody emits for x86-64, or no room. */
export function readEncoded(cursor: Cursor, encoding: number): Encoded | null {
  const { bytes, address, at } = cursor;
  const format = WIDTHS.get(encoding & 0x0f);
  const base = encoding & BASE;
  if (format === undefined || (base !== 0 && base !== PCREL)) return null;
  const [width, signed] = format;
  if (at + width > bytes.length) return null;
  const view = viewOf(bytes);
  const raw =
    width === 2
      ? signed
        ? view.getInt16(at, true)
        : view.getUint16(at, true)
      : width === 4
        ? signed
          ? view.getInt32(at, true)
          : view.getUint32(at, true)
        : Number(signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true));
  cursor.at += width;
  if (!Number.isSafeInteger(raw)) return null;
  return { encoding, width, raw, value: raw === 0 ? null : raw + (base === PCREL ? address + at : 0) };
}
