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
import { countBelow, inOrder, orderOf } from './order.js';
import type { Section } from './sections.js';
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
  /** By the address of the first byte of code; of several for one address the last. */
  readonly at: (address: number) => Frame | null;
  /** Some function of the object names a personality: it has C++ or cleanups. */
  readonly personality: boolean;
}

/** What every linker writes: four bytes, relative to their own place. */
const USUAL = 0x1b;
const USUAL_END = 16;

/** All records are looked at for their address only; the few that somebody asks for are read. */
export function readFrames(image: ElfImage): Frames {
  const tables = image.sections
    .filter(({ name, bytes }) => name === '.eh_frame' && bytes.length >= 8)
    .map((section) => new FrameTable(section));
  return {
    at: (address) => tables.reduce((found: Frame | null, table) => table.at(address) ?? found, null),
    personality: tables.some(({ personality }) => personality),
  };
}

class FrameTable {
  readonly personality: boolean;
  readonly #section: Section;
  readonly #commons = new Map<number, CommonPart | null>();
  /** Offsets of records in order of the addresses that they are for. */
  readonly #starts: Uint32Array;
  readonly #addresses: Float64Array;

  constructor(section: Section) {
    this.#section = section;
    const { bytes, address } = section;
    const view = viewOf(bytes);
    const starts = new Uint32Array(bytes.length >>> 3);
    const addresses = new Float64Array(starts.length);
    let count = 0;
    for (let start = 0; start + 8 <= bytes.length; ) {
      const length = view.getUint32(start, true);
      const end = start + 4 + length;
      if (length < 4 || length >= 0xfffffff0 || end > bytes.length) break;
      if (view.getUint32(start + 4, true) !== 0) {
        const raw = this.#commonOf(view, start)?.addressEncoding === USUAL && start + USUAL_END <= end;
        // without a size it is no record
        if (raw && view.getInt32(start + 12, true) === 0) {
          start = end;
          continue;
        }
        const distance = raw ? view.getInt32(start + 8, true) : 0;
        const found = raw ? distance && address + start + 8 + distance : (this.#read(start)?.function.value ?? 0);
        if (found > 0) {
          starts[count] = start;
          addresses[count++] = found;
        }
      }
      start = end;
    }
    const order = orderOf(addresses.subarray(0, count));
    this.#starts = order.map((from) => starts[from]!);
    this.#addresses = inOrder(addresses, order);
    this.personality = [...this.#commons.values()].some((common) => common?.personality != null);
  }

  at(address: number): Frame | null {
    const last = countBelow(this.#addresses, address + 1) - 1;
    return last >= 0 && this.#addresses[last] === address ? this.#read(this.#starts[last]!) : null;
  }

  #commonOf(view: DataView, start: number): CommonPart | null {
    const at = start + 4 - view.getUint32(start + 4, true);
    let common = this.#commons.get(at);
    if (common === undefined) {
      common = readCommon(this.#section.bytes, at, this.#section.address);
      this.#commons.set(at, common);
    }
    return common;
  }

  #read(start: number): Frame | null {
    const { bytes, address } = this.#section;
    const view = viewOf(bytes);
    const end = start + 4 + view.getUint32(start, true);
    return readFrame(bytes.subarray(start, end), address + start, this.#commonOf(view, start));
  }
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
