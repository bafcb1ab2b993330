// SPDX-License-Identifier: MIT
/**
 * Damage that goes where it hurts. Random bytes in a large file mostly hit code; so most damage is aimed at what a reader
 * follows: headers, tables, counts, lengths and names, with values at which arithmetic breaks.
 */
import type { Random } from './random.js';

interface Section {
  readonly header: number;
  readonly type: number;
  readonly at: number;
  readonly size: number;
  readonly entry: number;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Sections of an undamaged file that have content in it. */
function sectionsOf(bytes: Uint8Array): Section[] {
  const view = viewOf(bytes);
  const table = Number(view.getBigUint64(40, true));
  return Array.from({ length: view.getUint16(60, true) }, (_, i) => {
    const header = table + i * 64;
    const [at, size, entry] = [24, 32, 56].map((field) => Number(view.getBigUint64(header + field, true)));
    return { header, type: view.getUint32(header + 4, true), at: at!, size: size!, entry: entry! };
  }).filter(({ type, size }) => type !== 0 && type !== 8 && size > 0);
}

const EDGES = [
  0n,
  1n,
  2n,
  3n,
  4n,
  7n,
  8n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  0x10000n,
  0x7fffffffn,
  0x80000000n,
  0xfffffff0n,
  0xffffffffn,
  1n << 32n,
  1n << 40n,
  (1n << 47n) - 1n,
  1n << 47n,
  1n << 53n,
  1n << 63n,
  (1n << 64n) - 8n,
  (1n << 64n) - 1n,
];

function write(view: DataView, at: number, width: number, value: bigint): void {
  if (at < 0 || at + width > view.byteLength) return;
  if (width === 8) view.setBigUint64(at, BigInt.asUintN(64, value), true);
  else if (width === 4) view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
  else if (width === 2) view.setUint16(at, Number(BigInt.asUintN(16, value)), true);
  else view.setUint8(at, Number(BigInt.asUintN(8, value)));
}

function read(view: DataView, at: number, width: number): bigint {
  if (at < 0 || at + width > view.byteLength) return 0n;
  if (width === 8) return view.getBigUint64(at, true);
  return BigInt(width === 4 ? view.getUint32(at, true) : width === 2 ? view.getUint16(at, true) : view.getUint8(at));
}

/** An edge, a neighbour of what is there, or a number that could be a place in the file. */
function damageField(random: Random, view: DataView, at: number, width: number): void {
  const now = read(view, at, width);
  const value = random.pick([
    () => random.pick(EDGES),
    () => now + BigInt(random.below(33) - 16),
    () => now ^ (1n << BigInt(random.below(width * 8))),
    () => BigInt(random.below(view.byteLength + 64)),
    () => BigInt(view.byteLength) + BigInt(random.below(33) - 16),
  ])();
  write(view, at, width, value);
}

const HEADER: readonly (readonly [number, number])[] = [
  [4, 1],
  [16, 2],
  [18, 2],
  [24, 8],
  [32, 8],
  [40, 8],
  [52, 2],
  [54, 2],
  [56, 2],
  [58, 2],
  [60, 2],
  [62, 2],
];
const SECTION_HEADER: readonly (readonly [number, number])[] = [
  [0, 4],
  [4, 4],
  [8, 8],
  [16, 8],
  [24, 8],
  [32, 8],
  [40, 4],
  [44, 4],
  [48, 8],
  [56, 8],
];

type Damage = (random: Random, bytes: Uint8Array, sections: readonly Section[], other: Uint8Array) => void;

const header: Damage = (random, bytes) => {
  const [at, width] = random.pick(HEADER);
  damageField(random, viewOf(bytes), at, width);
};

const sectionHeader: Damage = (random, bytes, sections) => {
  const [at, width] = random.pick(SECTION_HEADER);
  const { header: start } = random.pick(sections);
  const view = viewOf(bytes);
  // what another section says there is the most believable lie
  if (random.chance(0.3)) write(view, start + at, width, read(view, random.pick(sections).header + at, width));
  else damageField(random, view, start + at, width);
};

const programHeader: Damage = (random, bytes) => {
  const view = viewOf(bytes);
  const count = view.getUint16(56, true);
  if (count === 0) return;
  const at = Number(read(view, 32, 8)) + random.below(count) * 56 + random.below(7) * 8;
  damageField(random, view, at, 8);
};

/** An entry of a table: symbols, relocations, versions, pointers. */
const entry: Damage = (random, bytes, sections) => {
  const tables = sections.filter(({ entry: size }) => size >= 2 && size <= 64);
  if (tables.length === 0) return;
  const { at, size, entry: step } = random.pick(tables);
  const width = random.pick([1, 2, 4, 8]);
  const field = Math.floor(random.below(step) / width) * width;
  damageField(random, viewOf(bytes), at + random.below(Math.max(1, Math.floor(size / step))) * step + field, width);
};

/** Somewhere in a section; each section is as likely as any other, whatever its size. */
const inside: Damage = (random, bytes, sections) => {
  const { at, size } = random.pick(sections);
  damageField(random, viewOf(bytes), at + random.below(size), random.pick([1, 1, 2, 4, 8]));
};

/** A run of one byte: lengths without an end, tables of ones, texts without a NUL. */
const run: Damage = (random, bytes, sections) => {
  const { at, size } = random.pick(sections);
  const start = at + random.below(size);
  bytes.fill(random.pick([0, 0x16, 0x41, 0x80, 0xff]), start, start + 1 + random.below(64));
};

/** A piece of the file, or of another, at the place of another piece. */
const splice: Damage = (random, bytes, sections, other) => {
  const from = random.chance(0.5) ? bytes : other;
  const length = 1 + random.below(512);
  const start = random.below(Math.max(1, from.length - length));
  const { at, size } = random.pick(sections);
  const to = at + random.below(size);
  bytes.set(from.slice(start, start + Math.min(length, bytes.length - to)), to);
};

const swap: Damage = (random, bytes, sections) => {
  const [a, b] = [random.pick(sections), random.pick(sections)];
  const kept = bytes.slice(a.header, a.header + 64);
  bytes.copyWithin(a.header, b.header, b.header + 64);
  bytes.set(kept, b.header);
};

/** Comes last: what is gone cannot be damaged. */
function cut(random: Random, bytes: Uint8Array, sections: readonly Section[]): Uint8Array {
  const { at, size, header: start } = random.pick(sections);
  return bytes.slice(0, random.pick([random.below(bytes.length), at, at + size, start, start + 32, bytes.length - 1]));
}

const anywhere: Damage = (random, bytes) => {
  bytes[random.below(bytes.length)] = random.below(256);
};

const ALL: readonly Damage[] = [
  ...[header, sectionHeader, sectionHeader, programHeader, entry, entry, entry, inside, inside, inside, inside],
  ...[run, run, splice, swap, anywhere],
];

/** A damaged copy of an ELF file; `other` lends pieces. */
export function damaged(random: Random, file: Uint8Array, other: Uint8Array): Uint8Array {
  const sections = sectionsOf(file);
  const bytes = Uint8Array.from(file);
  for (let count = 1 + random.below(random.pick([1, 2, 4, 12])); count > 0; count--)
    random.pick(ALL)(random, bytes, sections, other);
  return random.chance(0.05) ? cut(random, bytes, sections) : bytes;
}
