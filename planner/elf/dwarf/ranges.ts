// SPDX-License-Identifier: MIT
/** Which addresses an entry is about: low and high pc, or a list in .debug_ranges (DWARF 4) or .debug_rnglists (5). */
import { Cursor, type DebugSections, FORM, type UnitBases, type Value } from './forms.js';

export interface Range {
  readonly low: number;
  /** Behind the last byte. */
  readonly high: number;
}

export interface RangeHome {
  readonly sections: DebugSections;
  readonly version: number;
  readonly offsetSize: number;
  readonly bases: UnitBases;
  /** The unit's low pc. */
  readonly low: number;
}

/** An attribute's value with its form. */
export type Attribute = readonly [Value, number] | undefined;

const RLE = { end: 0, basex: 1, startxEndx: 2, startxLength: 3, offsetPair: 4, base: 5, startEnd: 6, startLength: 7 };
const ADDR = 0x01;
const ADDRESS_SIZE = 8;

export function rangesAt(home: RangeHome, list: Attribute, pc: { low: Attribute; high: Attribute }): Range[] {
  if (list && typeof list[0] === 'number')
    return home.version === 5 ? readLists(home, list[0], list[1]) : readPairs(home, list[0]);
  const low = pc.low?.[0];
  const high = pc.high?.[0];
  if (typeof low !== 'number' || typeof high !== 'number') return [];
  const isAddress = pc.high![1] === ADDR || pc.high![1] === FORM.addrx;
  return [{ low, high: isAddress ? high : low + high }];
}

function readPairs({ sections, low }: RangeHome, at: number): Range[] {
  const ranges: Range[] = [];
  const cursor = new Cursor(sections.ranges, at);
  for (let base = low; cursor.at + 16 <= sections.ranges.length; ) {
    const selects = cursor.bytes.subarray(cursor.at, cursor.at + 8).every((byte) => byte === 0xff);
    const [start, end] = [cursor.u64(), cursor.u64()];
    if (selects) base = end;
    else if (start === 0 && end === 0) break;
    else ranges.push({ low: base + start, high: base + end });
  }
  return ranges;
}

function readLists({ sections, offsetSize, bases, low }: RangeHome, value: number, form: number): Range[] {
  const ranges: Range[] = [];
  const at =
    form === FORM.rnglistx
      ? bases.rnglists + new Cursor(sections.rnglists, bases.rnglists + value * offsetSize).offset(offsetSize)
      : value;
  const cursor = new Cursor(sections.rnglists, at);
  const indexed = () => new Cursor(sections.addr, bases.addr + cursor.uleb() * ADDRESS_SIZE).u64();
  for (let base = low; ; ) {
    const kind = cursor.u8();
    if (kind === RLE.end) return ranges;
    if (kind === RLE.base) base = cursor.u64();
    else if (kind === RLE.basex) base = indexed();
    else if (kind === RLE.offsetPair) {
      const start = base + cursor.uleb();
      ranges.push({ low: start, high: base + cursor.uleb() });
    } else if (kind === RLE.startEnd) ranges.push({ low: cursor.u64(), high: cursor.u64() });
    else if (kind === RLE.startxEndx) ranges.push({ low: indexed(), high: indexed() });
    else if (kind === RLE.startLength || kind === RLE.startxLength) {
      const start = kind === RLE.startLength ? cursor.u64() : indexed();
      ranges.push({ low: start, high: start + cursor.uleb() });
    } else throw new RangeError(`an entry of kind ${kind} in .debug_rnglists`);
  }
}
