// SPDX-License-Identifier: MIT
/**
 * The units of .debug_info: their headers, and of the first entry of each what says which code it is about and who made it.
 * Nothing behind the first entry is read, so this is cheap however much there is.
 */
import { printable } from '../../printable.js';
import { stringAt } from '../symbols.js';
import { abbreviationIn } from './abbreviations.js';
import {
  Cursor,
  type DebugSections,
  readForm,
  type Slice,
  type UnitBases,
  type UnitHeader,
  type Value,
} from './forms.js';
import { AT, UNIT } from './names.js';
import { type Range, rangesAt } from './ranges.js';

export interface Unit extends UnitHeader {
  /** The source file as the compiler was given it. */
  readonly name: string;
  readonly producer: string;
  readonly bases: UnitBases;
  /** The code it describes. */
  readonly ranges: readonly Range[];
  /** What its ranges count from. */
  readonly low: number;
  /** Only a skeleton is here; the rest is in this file, made by -gsplit-dwarf. */
  readonly dwo: string | null;
}

/** All units of one section; `place.at` follows for messages. Throws RangeError. */
export function readUnits(sections: DebugSections, isTypes: boolean, place: { at: number }): Unit[] {
  const units: Unit[] = [];
  for (let at = 0; at + 11 < sections.info.length; ) {
    place.at = at;
    const header = readHeader(sections, at, isTypes);
    units.push({ ...header, ...readRoot(header) });
    at = header.end;
  }
  return units;
}

function readHeader(sections: DebugSections, start: number, isTypes: boolean): UnitHeader {
  const cursor = new Cursor(sections.info, start);
  let length = cursor.u32();
  const offsetSize = length === 0xffffffff ? 8 : 4;
  if (offsetSize === 8) length = cursor.u64();
  const end = cursor.at + length;
  const version = cursor.u16();
  if ((offsetSize === 4 && length >= 0xfffffff0) || end > sections.info.length || version < 4 || version > 5)
    throw new RangeError(`a unit of version ${version} and ${length} bytes`);
  const type = version === 5 ? cursor.u8() : isTypes ? UNIT.type : UNIT.compile;
  const early = version === 5 ? cursor.u8() : 0;
  const abbrevAt = cursor.offset(offsetSize);
  const addressSize = version === 5 ? early : cursor.u8();
  if (addressSize !== 8) throw new RangeError(`a unit with addresses of ${addressSize} bytes`);
  if (type < UNIT.compile || type > UNIT.splitType) throw new RangeError(`a unit of type ${type}`);
  const hasSignature = type === UNIT.type || type === UNIT.splitType;
  const signature = hasSignature || type === UNIT.skeleton || type === UNIT.splitCompile ? signatureAt(cursor) : null;
  const typeAt = hasSignature ? cursor.offset(offsetSize) : 0;
  if (cursor.at >= end) throw new RangeError(`a unit of ${length} bytes, which its header fills`);
  return {
    sections,
    start,
    end,
    root: cursor.at,
    version,
    addressSize,
    offsetSize,
    abbrevAt,
    signature: hasSignature ? signature : null,
    typeAt,
  };
}

function signatureAt(cursor: Cursor): string {
  cursor.at += 8;
  return Buffer.from(cursor.bytes.subarray(cursor.at - 8, cursor.at)).toString('hex');
}

function readRoot(header: UnitHeader) {
  const { sections, version, offsetSize } = header;
  // what indexed forms count from comes in the middle of what may use them: read twice
  const bases: UnitBases = { strOffsets: version === 5 ? 2 * offsetSize : 0, addr: 0, rnglists: 0 };
  for (const [attribute, value] of rootAttributes(header, bases)) {
    if (typeof value !== 'number') continue;
    if (attribute === AT.strOffsetsBase) bases.strOffsets = value;
    else if (attribute === AT.addrBase || attribute === AT.gnuAddrBase) bases.addr = value;
    else if (attribute === AT.rnglistsBase) bases.rnglists = value;
  }
  const attributes = new Map<number, readonly [Value, number]>();
  for (const [attribute, value, form] of rootAttributes(header, bases)) attributes.set(attribute, [value, form]);
  const text = (attribute: number): string | null => {
    const value = attributes.get(attribute)?.[0] as Slice | undefined;
    return value && typeof value === 'object' ? printable(stringAt(value.bytes, value.at)) : null;
  };
  const low = Number(attributes.get(AT.lowPc)?.[0] ?? 0);
  return {
    name: text(AT.name) ?? '',
    producer: text(AT.producer) ?? '',
    bases,
    low,
    ranges: rangesAt({ sections, version, offsetSize, bases, low }, attributes.get(AT.ranges), {
      low: attributes.get(AT.lowPc),
      high: attributes.get(AT.highPc),
    }),
    dwo: text(AT.dwoName) ?? text(AT.gnuDwoName),
  };
}

function* rootAttributes(header: UnitHeader, bases: UnitBases): Generator<readonly [number, Value, number]> {
  const cursor = new Cursor(header.sections.info, header.root);
  const code = cursor.uleb();
  if (code === 0) return;
  const abbreviation = abbreviationIn(header.sections.abbrev, header.abbrevAt, code);
  if (!abbreviation) throw new RangeError(`abbreviation ${code}`);
  const { attributes } = abbreviation;
  for (let i = 0; i < attributes.length; i += 3)
    yield [
      attributes[i]!,
      readForm(cursor, attributes[i + 1]!, attributes[i + 2]!, header, bases),
      attributes[i + 1]!,
    ] as const;
}
