// SPDX-License-Identifier: MIT
/**
 * The content of unnamed constants: strings, numbers, jump tables. Nothing in a linked file says where such a constant
 * ends; it ends at the latest where the next thing begins that anybody points at.
 */
import { bytesAt, sectionAt } from '../elf/image.js';
import { viewOf } from '../elf/symbols.js';
import { type CodeFunction, unitOf } from '../match/functions.js';
import type { Reference } from './references.js';
import type { Side } from './side.js';

/** The widest operand that one instruction loads. */
const WIDEST = 64;

export interface JumpTable {
  /** Addresses that the entries lead to. */
  readonly targets: readonly number[];
}

/** Bytes of the constant, without zeros that may be padding. */
export function constantBytes(side: Side, reference: Reference): Uint8Array {
  const size = constantSize(side, reference);
  const bytes = bytesAt(side.image, reference.address, size) ?? new Uint8Array(0);
  let end = bytes.length;
  // zeros that the loader fills in are none
  while (end > 0 && bytes[end - 1] === 0 && !side.image.relocations.has(reference.address + end - 8)) end--;
  return bytes.subarray(0, end);
}

/** Bytes of the constant that a reference means: what the instruction loads, or all that may belong to it. */
export function constantSize(side: Side, { address, loaded, width }: Reference): number {
  if (loaded && width) return width;
  const next = side.nextStart(address);
  if (loaded) return Math.min(next - address, WIDEST);
  const section = sectionAt(side.image, address);
  const limit = section ? section.address + section.size - address : 0;
  const text = textAt(side, address);
  return Math.min(limit, Math.max(next - address, text === null ? 0 : text.length));
}

/** A NUL-terminated text with its NUL, or null if the bytes at `address` are none. */
export function textAt(side: Side, address: number): Uint8Array | null {
  const bytes = bytesAt(side.image, address, Number.MAX_SAFE_INTEGER);
  if (bytes === null) return null;
  const runs = longRuns.get(side) ?? [];
  const known = runs.find(({ start, end }) => address >= start && address < end);
  const end = known?.end ?? address + lettersIn(side, address, bytes);
  // of texts without ends, as Go has them, one would be walked over for each reference into it
  if (known === undefined && end - address > LONG)
    longRuns.set(side, [{ start: address, end }, ...runs].slice(0, LONG_RUNS));
  const length = end - address;
  return bytes[length] === 0 && !side.image.relocations.has(end) ? bytes.subarray(0, length + 1) : null;
}

interface Run {
  readonly start: number;
  readonly end: number;
}

/** Runs of letters that are long, by what is behind them. */
const longRuns = new WeakMap<Side, readonly Run[]>();
const LONG = 1024;
const LONG_RUNS = 64;

/** How many bytes are letters, up to one that is none, or to an address that the loader fills in. */
function lettersIn({ image: { relocations } }: Side, address: number, bytes: Uint8Array): number {
  // linkers write into the file what the loader will add to: the bytes of an address may look like a text
  const next = relocations.firstFrom(address);
  const limit = Math.min(bytes.length, next < relocations.size ? relocations.addresses[next]! - address : bytes.length);
  for (let i = 0; i < limit; i++) {
    const byte = bytes[i]!;
    const printable = byte >= 0x20 ? byte !== 0x7f : (byte >= 7 && byte <= 13) || byte === 0x1b;
    if (!printable) return i;
  }
  return limit;
}

/**
 * The jump table at `address` that `fn` would use, or null. A table for a switch holds distances from its own start to code
 * of the same function, so its content tells: the first entry must lead to an instruction of the function, and
 * the table goes on for as long as entries do.
 */
export function jumpTableAt(side: Side, address: number, fn: CodeFunction): JumpTable | null {
  if (address % 4 !== 0) return null;
  const size = side.nextStart(address) - address;
  const bytes = bytesAt(side.image, address, size);
  if (bytes === null) return null;
  const unit = unitOf(fn);
  const homes = [unit, ...unit.parts];
  const view = viewOf(bytes);
  const targets: number[] = [];
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const target = address + view.getInt32(at, true);
    const inside = homes.some((home) => target >= home.address && target <= home.address + home.size);
    if (!inside) break;
    targets.push(target);
  }
  return targets.length > 0 ? { targets } : null;
}
