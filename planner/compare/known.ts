// SPDX-License-Identifier: MIT
/** What pairing alone tells, before any code is compared: the identities of places, and the objects that are unchanged. */
import type { Places } from '../core/sweep.js';
import { isConstant } from '../elf/sections.js';
import type { CodeFunction } from '../match/functions.js';
import type { DataObject } from '../match/objects.js';
import type { Context } from './context.js';
import { FUNCTION, OBJECT, type PairNumbers, placesOf, type VersionNumbers } from './places.js';
import { type ObjectPair, type SameConstant, unchangedObjects } from './unchanged-objects.js';

export type FunctionPair = readonly [old: CodeFunction, now: CodeFunction];

export interface Known {
  readonly functionPairs: readonly FunctionPair[];
  readonly old: PairNumbers;
  readonly now: PairNumbers;
  /** Constant objects that may have changed have no identity. */
  readonly oldPlaces: Places;
  readonly newPlaces: Places;
  /** New objects. */
  readonly unchanged: ReadonlySet<DataObject>;
  /** Once the content of unnamed constants can be told, more objects turn out to be unchanged. */
  readonly learn: (sameConstant: SameConstant) => void;
}

export function knownFrom(context: Pick<Context, 'before' | 'after' | 'functions' | 'objects' | 'names'>): Known {
  const { before, after, functions, objects, names } = context;
  const functionPairs: FunctionPair[] = [];
  const objectPairs: ObjectPair[] = [];
  const old: PairNumbers = noPairs(before.functions.length, before.objects.length);
  const now: PairNumbers = noPairs(after.functions.length, after.objects.length);
  for (const fn of after.functions) {
    const partner = functions.oldOf.get(fn);
    if (partner === undefined) continue;
    old.functions[partner.index] = functionPairs.length;
    now.functions[fn.index] = functionPairs.length;
    functionPairs.push([partner, fn]);
  }
  for (const object of after.objects) {
    const partner = objects.oldOf.get(object);
    if (partner === undefined) continue;
    old.objects[partner.index] = objectPairs.length;
    now.objects[object.index] = objectPairs.length;
    objectPairs.push([partner, object]);
  }
  const versions: VersionNumbers = new Map();
  const oldPlaces = placesOf(before, old, names, versions);
  const newPlaces = placesOf(after, now, names, versions);
  const sides = [
    { side: before, places: oldPlaces },
    { side: after, places: newPlaces },
  ] as const;
  let same = unchangedObjects(...sides, objectPairs, names);
  const unchanged = new Set<DataObject>();
  const remember = () => {
    objectPairs.forEach(([, object], pair) => {
      if (same[pair] === 1) unchanged.add(object);
    });
  };
  remember();
  const learn = (sameConstant: SameConstant) => {
    same = unchangedObjects(...sides, objectPairs, names, sameConstant, same);
    remember();
  };
  const isSure = (pair: number) => same[pair] === 1 || !isConstant(objectPairs[pair]![1].section);
  return {
    ...{ functionPairs, old, now, unchanged, learn },
    oldPlaces: withoutDoubt(oldPlaces, isSure),
    newPlaces: withoutDoubt(newPlaces, isSure),
  };
}

/** The places, but without identities for pairs of objects that are not sure to mean the same. */
function withoutDoubt(places: Places, isSure: (objectPair: number) => boolean): Places {
  const identities = places.identities.map((identity) =>
    identity >= OBJECT && identity < FUNCTION && !isSure(identity - OBJECT) ? 0 : identity,
  );
  return { ...places, identities };
}

const noPairs = (functions: number, objects: number): PairNumbers => ({
  functions: new Int32Array(functions).fill(-1),
  objects: new Int32Array(objects).fill(-1),
});
