// SPDX-License-Identifier: MIT
/** What pairing alone tells, before any code is compared: the identities of places, and the objects that are unchanged. */
import type { Places } from '../core/sweep.js';
import { isConstant } from '../elf/sections.js';
import type { CodeFunction } from '../match/functions.js';
import type { Context } from './context.js';
import { FUNCTION, OBJECT, type PairNumbers, placesOf, type VersionNumbers } from './places.js';
import { type SameConstant, unchangedObjects } from './unchanged-objects.js';

export type FunctionPair = readonly [old: CodeFunction, now: CodeFunction];

/** Pairs have the index of the new one as their number. */
export interface Known {
  readonly functionPair: (pair: number) => FunctionPair;
  readonly old: PairNumbers;
  readonly now: PairNumbers;
  /** Constant objects that may have changed have no identity. */
  readonly oldPlaces: Places;
  readonly newPlaces: Places;
  /** Whether the new object with this index certainly has the content of its partner. */
  readonly isUnchanged: (index: number) => boolean;
  /** Once the content of unnamed constants can be told, more objects turn out to be unchanged. */
  readonly learn: (sameConstant: SameConstant) => void;
}

export function knownFrom(
  context: Pick<Context, 'before' | 'after' | 'functions' | 'objects' | 'dynamicNames'>,
): Known {
  const { before, after, functions, objects, dynamicNames: names } = context;
  const old: PairNumbers = { functions: functions.newIndexOf, objects: objects.newIndexOf };
  const now: PairNumbers = { functions: ownNumbers(functions), objects: ownNumbers(objects) };
  const versions: VersionNumbers = new Map();
  const oldPlaces = placesOf(before, old, names, versions);
  const newPlaces = placesOf(after, now, names, versions);
  const sides = [
    { side: before, places: oldPlaces },
    { side: after, places: newPlaces },
  ] as const;
  let same = unchangedObjects(...sides, objects, names);
  const learn = (sameConstant: SameConstant) => {
    same = unchangedObjects(...sides, objects, names, sameConstant, same);
  };
  const changing = after.image.sections.map((section) => !isConstant(section));
  const { homes } = after.objects.columns;
  const isSure = (pair: number) => same[pair] === 1 || changing[homes[pair]!]!;
  return {
    ...{ old, now, learn },
    functionPair: (pair) => [before.functions.at(functions.oldIndexOf[pair]!), after.functions.at(pair)],
    isUnchanged: (index) => same[index] === 1,
    oldPlaces: withoutDoubt(oldPlaces, isSure),
    newPlaces: withoutDoubt(newPlaces, isSure),
  };
}

const ownNumbers = ({ oldIndexOf }: Pick<Context['functions'] | Context['objects'], 'oldIndexOf'>): Int32Array =>
  oldIndexOf.map((partner, index) => (partner < 0 ? -1 : index));

/** The places, but without identities for pairs of objects that are not sure to mean the same. */
function withoutDoubt(places: Places, isSure: (objectPair: number) => boolean): Places {
  const identities = places.identities.slice();
  for (let i = 0; i < identities.length; i++) {
    const identity = identities[i]!;
    if (identity >= OBJECT && identity < FUNCTION && !isSure(identity - OBJECT)) identities[i] = 0;
  }
  return { ...places, identities };
}
