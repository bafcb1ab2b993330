// SPDX-License-Identifier: MIT
/** The finder in its place in the arena, and the jumps that lead to it: what apply writes so that exceptions find their way. */
import { type Patch, type RunAddress, runAddress } from '../../planner/index.js';
import type { Layout } from '../link/layout.js';
import { farJump, makeFinder } from './finder.js';
import { describedFunctions } from './frames.js';
import type { Unwinder } from './unwinders.js';

/** A jump from an unwinder to the finder; it stays when the patch is reverted, since code of the patch may still be run. */
export interface UnwinderJump {
  readonly at: RunAddress;
  readonly bytes: Uint8Array;
  readonly original: Uint8Array;
}

/** Bytes that the finder needs in the arena. It depends on no address. */
export function finderSize(patch: Patch, unwinders: readonly Unwinder[]): number {
  if (unwinders.length === 0) return 0;
  const nowhere = { sections: patch.sections.map(() => 0) };
  return makeFinder(0, 0, describedFunctions(patch, nowhere), unwinders).bytes.length;
}

export function placeFinder(
  patch: Patch,
  layout: Layout,
  arena: RunAddress,
  unwinders: readonly Unwinder[],
): { readonly bytes: Uint8Array; readonly jumps: readonly UnwinderJump[] } {
  if (unwinders.length === 0) return { bytes: new Uint8Array(0), jumps: [] };
  const { finder, codeSize } = layout;
  const { bytes, entries } = makeFinder(finder, codeSize, describedFunctions(patch, layout), unwinders);
  const jumps = unwinders.map(({ at, original }, i) => ({
    at,
    original,
    bytes: farJump(runAddress(arena + finder + entries[i]!)),
  }));
  return { bytes, jumps };
}
