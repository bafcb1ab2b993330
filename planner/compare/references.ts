// SPDX-License-Identifier: MIT
/**
 * Whether two references mean the same: the old one in the old file, the new one in the new.
 *
 * Functions and writable objects are the same if they are paired, whatever became of them: an old address goes on to work.
 * Constants are the same if their content is. An address that is both the end of one object and the start of the next
 * is taken either way; the borders of a linker's list are the same whatever is in it (rules/list-changed.ts).
 */
import { bytesAt, sectionAt } from '../elf/image.js';
import { R_X86_64 } from '../elf/relocations.js';
import { isConstant } from '../elf/sections.js';
import { type CodeFunction, indexAt } from '../match/functions.js';
import type { DataObject } from '../match/objects.js';
import { constantBytes, jumpTableAt } from './constants.js';
import type { Context } from './context.js';
import { type DistanceTable, distancesOf, distanceTableAt } from './distance-tables.js';
import { borderAt } from './lists.js';
import { type Referent, referentAt } from './referent.js';
import { type Side, uses } from './side.js';

export interface Reference {
  /** The function that refers; null for data. */
  readonly from: CodeFunction | null;
  readonly address: number;
  /** An instruction loads from there, instead of taking the address. */
  readonly loaded: boolean;
  /** Bytes that it loads; 0 if that is not known, or nothing is loaded. */
  readonly width?: number;
}

export function sameReference(context: Context, a: Reference, b: Reference): boolean {
  const { before, after } = context;
  const border = borderAt(before, a.from, a.address);
  if (border !== borderAt(after, b.from, b.address)) return false;
  if (border !== null) return true;
  const old = referentAt(before, a.address);
  const now = referentAt(after, b.address);
  if (sameReferent(context, old, now, a, b)) return true;
  if (isEnd(before, a.from, a.address) && isEnd(after, b.from, b.address)) return true;
  if (a.loaded || b.loaded) return false;
  const labels = after.bordersAt(b.address);
  if (before.bordersAt(a.address).some((name) => labels.includes(name))) return true;
  const oldEnd = before.objectBefore(a.address);
  const newEnd = after.objectBefore(b.address);
  if (oldEnd === null || newEnd === null || oldEnd.size !== newEnd.size) return false;
  if (!sameObject(context, oldEnd, newEnd)) return false;
  // where something else begins, the end of an object is meant only by code that uses the object
  const begins = ({ kind }: Referent) => kind === 'constant' || kind === 'object';
  if (!begins(old) && !begins(now)) return true;
  return uses(before, a.from, oldEnd) && uses(after, b.from, newEnd);
}

/** A branch to where the function itself ends, and no other begins: the way out of a switch that has no other case is never taken. */
export const isEnd = (side: Side, fn: CodeFunction | null, address: number): boolean =>
  fn !== null && address === fn.address + fn.size && side.functionAt(address) === null;

function sameReferent(context: Context, old: Referent, now: Referent, a: Reference, b: Reference): boolean {
  if (old.kind === 'function' && now.kind === 'function')
    return samePlace(context, old.fn, old.offset, now.fn, now.offset);
  if (old.kind === 'object' && now.kind === 'object')
    return old.offset === now.offset && sameObject(context, old.object, now.object);
  if ((old.kind === 'stub' && now.kind === 'stub') || (old.kind === 'slot' && now.kind === 'slot'))
    return old.name === now.name;
  if (old.kind === 'label' && now.kind === 'label') return old.name === now.name;
  if (old.kind === 'tls' && now.kind === 'tls') return old.model === now.model && old.variable === now.variable;
  if (old.kind === 'pointer' && now.kind === 'pointer')
    return sameReference(context, { ...a, address: old.to, loaded: false }, { ...b, address: now.to, loaded: false });
  if (old.kind === 'constant' && now.kind === 'constant')
    return sameConstant(context, a, b) || areFrames(context, a, b);
  if (old.kind === 'unknown' && now.kind === 'unknown')
    return old.section === now.section && sameUnknown(context, a, b);
  return false;
}

/** Places in code: the same function, and the same instruction of it, counted without padding. */
function samePlace(context: Context, a: CodeFunction, aOffset: number, b: CodeFunction, bOffset: number): boolean {
  if (context.functions.oldOf.get(b) !== a) return false;
  if (aOffset === 0 || bOffset === 0) return aOffset === bOffset;
  const index = indexAt(a, aOffset);
  return index === null ? aOffset === bOffset : index === indexAt(b, bOffset);
}

export function sameObject(context: Context, a: DataObject, b: DataObject): boolean {
  if (context.objects.oldOf.get(b) !== a) return false;
  if (!isConstant(b.section) || context.known.isUnchanged(b.index)) return true;
  return answered(context, context.equalObjects, b, () => a.size === b.size && sameContent(context, a, b));
}

function sameContent(context: Context, a: DataObject, b: DataObject): boolean {
  const [old, now] = [distancesOf(context.before, a), distancesOf(context.after, b)];
  if (old !== null && now !== null) return sameDistances(context, old, now);
  return old === now && sameBytes(context, a.address, b.address, a.size);
}

const sameDistances = (context: Context, old: DistanceTable, now: DistanceTable): boolean =>
  old.targets.length === now.targets.length &&
  old.targets.every((target, i) => sameReference(context, pointer(target), pointer(now.targets[i]!)));

/**
 * The answer for constants that may point at themselves or each other: while it is worked out it is taken to be yes, so that
 * circles end. A no takes back every yes that was found on the way, because it may have rested on this one.
 */
function answered<Key>(context: Context, answers: Map<Key, boolean>, key: Key, find: () => boolean): boolean {
  const known = answers.get(key);
  if (known !== undefined) return known;
  const { taken } = context;
  const start = taken.length;
  answers.set(key, true);
  taken.push(() => answers.delete(key));
  if (find()) {
    if (start === 0) taken.length = 0;
    return true;
  }
  for (const takeBack of taken.splice(start)) takeBack();
  answers.set(key, false);
  return false;
}

/** Equal content of `size` bytes of data, with what relocations fill in compared by meaning. */
export function sameBytes(context: Context, a: number, b: number, size: number): boolean {
  const { before, after } = context;
  const old = bytesAt(before.image, a, size);
  const now = bytesAt(after.image, b, size);
  if (old === null || now === null) return isZero(old) && isZero(now);
  if (old.length !== now.length) return false;
  const [olds, news] = [before.image.relocations, after.image.relocations];
  for (let at = 0; ; ) {
    const x = olds.firstFrom(a + at);
    const y = news.firstFrom(b + at);
    const filled = Math.min(x < olds.size ? olds.addresses[x]! - a : size, size);
    if (filled !== Math.min(y < news.size ? news.addresses[y]! - b : size, size)) return false;
    if (Buffer.compare(old.subarray(at, filled), now.subarray(at, filled)) !== 0) return false;
    if (filled === size) return true;
    if (olds.types[x] !== news.types[y] || !sameFilled(context, a + filled, b + filled)) return false;
    at = filled + 8;
    if (at >= size) return true;
  }
}

const isZero = (bytes: Uint8Array | null): boolean => bytes === null || bytes.every((byte) => byte === 0);

/** What the loader writes at two places. */
function sameFilled(context: Context, a: number, b: number): boolean {
  const { before, after } = context;
  const old = before.image.relocations.get(a)!;
  const now = after.image.relocations.get(b)!;
  if (old.type === R_X86_64.relative || old.type === R_X86_64.irelative)
    return sameReference(
      context,
      { from: null, address: old.addend, loaded: false },
      { from: null, address: now.addend, loaded: false },
    );
  const name = (side: Side, symbol: number) => `${side.image.dynamicTable.name(symbol)}@${side.image.versions[symbol]}`;
  return name(before, old.symbol) === name(after, now.symbol) && old.addend === now.addend;
}

/** The table of frame descriptions, which start-up code hands over as a whole: it changes with every function that does. */
function areFrames({ before, after }: Context, a: Reference, b: Reference): boolean {
  const isFrames = (side: Side, { address }: Reference) => sectionAt(side.image, address)?.name === '.eh_frame';
  return isFrames(before, a) && isFrames(after, b);
}

function sameConstant(context: Context, a: Reference, b: Reference): boolean {
  const { before, after } = context;
  if (a.from !== null && b.from !== null && !a.loaded && !b.loaded) {
    const old = jumpTableAt(before, a.address, a.from);
    const now = jumpTableAt(after, b.address, b.from);
    if ((old === null) !== (now === null)) return false;
    if (old !== null && now !== null) {
      // how far a table reaches is fixed by the bounds check, which is compared with the code
      const common = Math.min(old.targets.length, now.targets.length);
      for (let i = 0; i < common; i++) if (!sameTarget(context, old.targets[i]!, now.targets[i]!)) return false;
      return true;
    }
  }
  if (a.from !== null && b.from !== null && !a.loaded && !b.loaded) {
    const old = distanceTableAt(before, a.address, a.from);
    const now = distanceTableAt(after, b.address, b.from);
    if ((old === null) !== (now === null)) return false;
    if (old !== null && now !== null) return sameDistances(context, old, now);
  }
  const old = constantBytes(before, a);
  const now = constantBytes(after, b);
  if (old.length !== now.length) return false;
  const key = `${a.address} ${b.address} ${old.length}`;
  return answered(context, context.equalConstants, key, () => sameBytes(context, a.address, b.address, old.length));
}

const pointer = (address: number): Reference => ({ from: null, address, loaded: false });

function sameTarget(context: Context, a: number, b: number): boolean {
  const old = context.before.functionAt(a);
  const now = context.after.functionAt(b);
  if (old === null || now === null) return old === now;
  return samePlace(context, old, a - old.address, now, b - now.address);
}

/** Unnamed writable data, and addresses outside every section: equal if equally far from the last thing with a name. */
function sameUnknown(context: Context, a: Reference, b: Reference): boolean {
  const anchor = (side: Side, address: number): { object: DataObject | null; distance: number } => {
    for (let back = 0; back < 256; back++) {
      const object = side.objectAt(address - back) ?? side.objectBefore(address - back);
      if (object) return { object, distance: address - object.address };
    }
    return { object: null, distance: address };
  };
  const old = anchor(context.before, a.address);
  const now = anchor(context.after, b.address);
  if (old.object === null || now.object === null) return old.object === now.object && old.distance === now.distance;
  return context.objects.oldOf.get(now.object) === old.object && old.distance === now.distance;
}
