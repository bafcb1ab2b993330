// SPDX-License-Identifier: MIT
/**
 * Which data objects certainly have the content they had: equal bytes, and what the loader fills in means the same. Objects that point
 * at constants depend on these: all are taken to be unchanged until one is not, which then spreads to all that point at it, over
 * any number of steps. So circles are no trouble.
 *
 * Spares work and decides nothing: what is not known here to be unchanged is compared by references.ts.
 */
import type { Places } from '../core/sweep.js';
import type { NameIds } from '../elf/name-ids.js';
import { R_X86_64 } from '../elf/relocations.js';
import { isConstant } from '../elf/sections.js';
import type { DataObject } from '../match/objects.js';
import type { Pairing } from '../match/pair.js';
import { isDistances } from './distance-tables.js';
import { FUNCTION, OBJECT, placeAt } from './places.js';
import type { Side } from './side.js';

export interface ObjectSide {
  readonly side: Side;
  readonly places: Places;
}

/** Whether unnamed constants at two addresses have the same content. */
export type SameConstant = (old: number, now: number) => boolean;

/**
 * For each new object 1 if it has a partner and is unchanged; its index is the number in the places' identities. `known`: an earlier
 * answer, of which only the zeros are asked again.
 */
export function unchangedObjects(
  old: ObjectSide,
  now: ObjectSide,
  { oldIndexOf }: Pick<Pairing<DataObject>, 'oldIndexOf'>,
  names: NameIds,
  sameConstant: SameConstant = () => false,
  known: Uint8Array | null = null,
): Uint8Array {
  const unchanged = new Uint8Array(oldIndexOf.length);
  /** Who points at a constant: from the pair that it leads to, to the pair that it is in. */
  const leadsTo: number[] = [];
  const isIn: number[] = [];
  const constant = now.side.image.sections.map(isConstant);
  const { homes } = now.side.objects.columns;
  let pair = 0;
  const compare = new Comparison(old, now, names, sameConstant, (other) => {
    if (!constant[homes[other]!]) return;
    leadsTo.push(other);
    isIn.push(pair);
  });
  for (; pair < unchanged.length; pair++) {
    if (oldIndexOf[pair]! < 0) continue;
    if (known?.[pair] === 1 || compare.content(oldIndexOf[pair]!, pair)) unchanged[pair] = 1;
  }
  spread(unchanged, leadsTo, isIn);
  return unchanged;
}

/** Takes everything back that points at what is not unchanged. */
function spread(unchanged: Uint8Array, leadsTo: readonly number[], isIn: readonly number[]): void {
  const first = new Int32Array(unchanged.length).fill(-1);
  const next = new Int32Array(leadsTo.length);
  for (let edge = 0; edge < leadsTo.length; edge++) {
    next[edge] = first[leadsTo[edge]!]!;
    first[leadsTo[edge]!] = edge;
  }
  const left: number[] = [];
  for (let pair = 0; pair < unchanged.length; pair++) if (unchanged[pair] === 0) left.push(pair);
  for (let pair = left.pop(); pair !== undefined; pair = left.pop())
    for (let edge = first[pair]!; edge >= 0; edge = next[edge]!) {
      const other = isIn[edge]!;
      if (unchanged[other] === 0) continue;
      unchanged[other] = 0;
      left.push(other);
    }
}

class Comparison {
  readonly #old: ObjectSide;
  readonly #now: ObjectSide;
  readonly #oldNames: Uint32Array;
  readonly #newNames: Uint32Array;
  readonly #sameConstant: SameConstant;
  /** Told the pairs of objects that both point at. */
  readonly #pointsAt: (pair: number) => void;
  readonly #constants: readonly [readonly boolean[], readonly boolean[]];

  constructor(
    old: ObjectSide,
    now: ObjectSide,
    names: NameIds,
    sameConstant: SameConstant,
    pointsAt: (pair: number) => void,
  ) {
    this.#sameConstant = sameConstant;
    this.#pointsAt = pointsAt;
    this.#old = old;
    this.#now = now;
    this.#oldNames = names.of(old.side.image.dynamicTable);
    this.#newNames = names.of(now.side.image.dynamicTable);
    this.#constants = [old.side.image.sections.map(isConstant), now.side.image.sections.map(isConstant)];
  }

  /** Of the old object and the new one with these indices. */
  content(a: number, b: number): boolean {
    const [{ objects: before, image: oldImage }, { objects: after, image: newImage }] = [
      this.#old.side,
      this.#now.side,
    ];
    const size = before.columns.sizes[a]!;
    // equal distances may lead to what is not equal
    if (isDistances(newImage.symbolTable, after.columns.symbols[b]!)) return false;
    const [oldHome, newHome] = [before.columns.homes[a]!, after.columns.homes[b]!];
    if (after.columns.sizes[b] !== size || this.#constants[0][oldHome] !== this.#constants[1][newHome]) return false;
    const [p, q] = [oldImage.sections[oldHome]!, newImage.sections[newHome]!];
    const [x, y] = [p.bytes, q.bytes];
    if (x.length === 0 || y.length === 0) return x.length === y.length;
    const [addressA, addressB] = [before.columns.addresses[a]!, after.columns.addresses[b]!];
    const [atX, atY] = [addressA - p.address, addressB - q.address];
    const [olds, news] = [oldImage.relocations, newImage.relocations];
    let i = olds.firstFrom(addressA);
    let j = news.firstFrom(addressB);
    for (let at = 0; ; i++, j++) {
      const filled = i < olds.size ? Math.min(size, olds.addresses[i]! - addressA) : size;
      if (filled !== (j < news.size ? Math.min(size, news.addresses[j]! - addressB) : size)) return false;
      if (filled < at || !sameRun(x, atX + at, y, atY + at, filled - at)) return false;
      if (filled === size) return true;
      if (!this.#sameFilled(i, j)) return false;
      at = filled + 8;
      if (at >= size) return at === size;
    }
  }

  /** What the loader writes for the i-th old and the j-th new relocation. */
  #sameFilled(i: number, j: number): boolean {
    const { image: before } = this.#old.side;
    const { image: after } = this.#now.side;
    const [olds, news] = [before.relocations, after.relocations];
    if (olds.types[i] !== news.types[j]) return false;
    if (olds.types[i] === R_X86_64.relative) return this.#samePlace(olds.addends[i]!, news.addends[j]!);
    if (olds.types[i] !== R_X86_64.abs64 && olds.types[i] !== R_X86_64.globDat) return false;
    const [s, t] = [olds.symbols[i]!, news.symbols[j]!];
    return (
      this.#oldNames[s] === this.#newNames[t] &&
      before.versions[s] === after.versions[t] &&
      olds.addends[i] === news.addends[j]
    );
  }

  #samePlace(a: number, b: number): boolean {
    const [old, now] = [this.#old.places, this.#now.places];
    const [p, q] = [placeAt(old, a), placeAt(now, b)];
    if (p < 0 || q < 0) return p < 0 && q < 0 && this.#sameConstant(a, b);
    const identity = old.identities[p]!;
    if (identity === 0 || identity !== now.identities[q] || a - old.starts[p]! !== b - now.starts[q]!) return false;
    if (identity >= FUNCTION) return a === old.starts[p];
    if (identity < OBJECT) return false;
    this.#pointsAt(identity - OBJECT);
    return true;
  }
}

/** Equal bytes. Long runs are compared by what the platform has for that. */
export function sameRun(x: Uint8Array, atX: number, y: Uint8Array, atY: number, length: number): boolean {
  if (length > 64) return Buffer.compare(x.subarray(atX, atX + length), y.subarray(atY, atY + length)) === 0;
  for (let i = 0; i < length; i++) if (x[atX + i] !== y[atY + i]) return false;
  return true;
}
