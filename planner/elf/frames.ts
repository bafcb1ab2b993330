// SPDX-License-Identifier: MIT
/**
 * .eh_frame: for each range of code the record that says how to unwind it, with its common part. Facts: the LSB's chapter on
 * exception frames, DWARF 5 section 6.4.
 *
 * Reads only; a section that contradicts itself ends the reading where it does so, as unwinders do. A record whose pointers
 * are encoded in a way that is not known is given without them, and `readable` says so.
 */
import { type Cursor, cursorOf, type Encoded, readEncoded } from './encoded.js';
import type { ElfImage } from './image.js';
import { stringAt, viewOf } from './symbols.js';

/** A pointer field: where it is from the start of its record, how it is encoded, and what it says. */
export interface PointerField extends Encoded {
  readonly at: number;
}

export interface CommonPart {
  /** Offset in .eh_frame. */
  readonly start: number;
  /** The whole record, its length field included. */
  readonly bytes: Uint8Array;
  readonly personality: PointerField | null;
  readonly addressEncoding: number;
  /** 0xff: functions have no language-specific data. */
  readonly dataEncoding: number;
  readonly readable: boolean;
}

export interface Frame {
  readonly common: CommonPart;
  readonly bytes: Uint8Array;
  readonly function: PointerField;
  readonly size: number;
  /** Of the language-specific data, which describes landing pads; null for none. */
  readonly data: PointerField | null;
  readonly readable: boolean;
}

export interface Frames {
  /** By the address of the first byte of code. */
  readonly at: ReadonlyMap<number, Frame>;
  /** Some function of the object names a personality: it has C++ or cleanups. */
  readonly personality: boolean;
}

export function readFrames(image: ElfImage): Frames {
  const at = new Map<number, Frame>();
  const commons = new Map<number, CommonPart | null>();
  for (const section of image.sections) {
    if (section.name !== '.eh_frame' || section.bytes.length < 8) continue;
    const { bytes, address } = section;
    const view = viewOf(bytes);
    for (let start = 0; start + 8 <= bytes.length; ) {
      const length = view.getUint32(start, true);
      const end = start + 4 + length;
      if (length < 4 || length >= 0xfffffff0 || end > bytes.length) break;
      const distance = view.getUint32(start + 4, true);
      if (distance !== 0) {
        const common = start + 4 - distance;
        if (!commons.has(common)) commons.set(common, readCommon(bytes, common, address));
        const frame = readFrame(bytes.subarray(start, end), address + start, commons.get(common) ?? null);
        if (frame?.function.value != null) at.set(frame.function.value, frame);
      }
      start = end;
    }
  }
  return { at, personality: [...commons.values()].some((common) => common?.personality != null) };
}

function readFrame(bytes: Uint8Array, address: number, common: CommonPart | null): Frame | null {
  if (common === null) return null;
  const cursor = cursorOf(bytes, address, 8);
  const start = field(cursor, common.addressEncoding);
  // the size has the pointer's width and no base
  const size = readEncoded(cursor, common.addressEncoding & 0x0f);
  if (start === null || size?.value == null) return null;
  let data: PointerField | null = null;
  let readable = common.readable;
  if (common.dataEncoding !== 0xff) {
    cursor.skipLeb();
    const found = field(cursor, common.dataEncoding);
    if (found === null) readable = false;
    else if (found.raw !== 0) data = found;
  }
  return { common, bytes, function: start, size: size.value, data, readable };
}

function readCommon(section: Uint8Array, start: number, address: number): CommonPart | null {
  if (start < 0 || start + 12 > section.length) return null;
  const view = viewOf(section);
  const length = view.getUint32(start, true);
  if (view.getUint32(start + 4, true) !== 0 || length < 8 || start + 4 + length > section.length) return null;
  const bytes = section.subarray(start, start + 4 + length);
  const augmentation = stringAt(bytes, 9);
  const cursor = cursorOf(bytes, address + start, 9 + augmentation.length + 1);
  // code alignment, data alignment, return register
  for (let i = 0; i < 3; i++) cursor.skipLeb();
  let addressEncoding = 0;
  let dataEncoding = 0xff;
  let personality: PointerField | null = null;
  let readable = augmentation === '' || augmentation.startsWith('z');
  if (augmentation.startsWith('z')) {
    cursor.skipLeb();
    for (const letter of augmentation.slice(1)) {
      if (letter === 'L') dataEncoding = cursor.byte();
      else if (letter === 'R') addressEncoding = cursor.byte();
      else if (letter === 'P') {
        personality = field(cursor, cursor.byte());
        readable &&= personality !== null;
        if (personality === null) break;
      } else if (letter !== 'S' && letter !== 'B') readable = false;
    }
  }
  return { start, bytes, personality, addressEncoding, dataEncoding, readable };
}

function field(cursor: Cursor, encoding: number): PointerField | null {
  const at = cursor.at;
  const found = readEncoded(cursor, encoding);
  return found && { ...found, at };
}
