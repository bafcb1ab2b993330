// SPDX-License-Identifier: MIT
/** What comparison found, before anybody judges it or makes code of it. */
import type { Context } from './compare/context.js';
import { reasonsFor, sameFunction } from './compare/functions.js';
import { differOnlyInLines } from './compare/line-numbers.js';
import type { FunctionPair } from './compare/number-differences.js';
import { sameBytes, sameObject } from './compare/references.js';
import { isConstant, isWritable } from './elf/sections.js';
import { type CodeFunction, unitOf } from './match/functions.js';
import type { DataObject } from './match/objects.js';
import { pick } from './match/things.js';

/** A function together with its .cold parts. */
export interface ModifiedUnit {
  readonly old: CodeFunction;
  readonly new: CodeFunction;
  readonly reasons: readonly string[];
}

export interface ObjectChange {
  readonly change: 'added' | 'modified' | 'removed';
  readonly old: DataObject | null;
  readonly new: DataObject | null;
}

export interface Plan {
  readonly context: Context;
  readonly modified: readonly ModifiedUnit[];
  /** Functions that differ in line numbers only: they stay as they are. */
  readonly lineOnly: readonly FunctionPair[];
  readonly added: readonly CodeFunction[];
  readonly removed: readonly CodeFunction[];
  readonly objects: readonly ObjectChange[];
}

export function makePlan(context: Context): Plan {
  const { functions, before, after } = context;
  const changedUnits = new Set<CodeFunction>();
  const differing: FunctionPair[] = [];
  for (const fn of context.suspects) {
    const old = functions.oldOf.get(fn);
    if (old === undefined) {
      if (fn.parent) changedUnits.add(fn.parent);
    } else if (!sameFunction(context, old, fn)) differing.push({ old, new: fn });
  }
  const cosmetic = differOnlyInLines(context, differing);
  for (const pair of differing) if (!cosmetic.has(pair)) changedUnits.add(unitOf(pair.new));
  // a .cold part that is gone leaves its parent changed too, even if the parent's own instructions agree
  const gone = pick(before.functions, (i) => functions.newIndexOf[i]! < 0);
  const fresh = pick(after.functions, (i) => functions.oldIndexOf[i]! < 0);
  for (const { parent } of gone) {
    const now = parent && functions.newOf.get(parent);
    if (now) changedUnits.add(now);
  }
  const modified: ModifiedUnit[] = [];
  for (const fn of changedUnits) {
    const old = functions.oldOf.get(fn);
    if (old) modified.push({ old, new: fn, reasons: unitReasons(context, old, fn) });
  }
  modified.sort((a, b) => a.old.address - b.old.address);
  return {
    context,
    modified,
    lineOnly: unitsOf(context, cosmetic).filter((pair) => !changedUnits.has(pair.new)),
    added: fresh.filter((fn) => !fn.parent),
    removed: gone.filter((fn) => !fn.parent),
    objects: objectChanges(context),
  };
}

/** The functions that pairs of functions and parts belong to, in order of address. */
function unitsOf({ functions }: Context, pairs: Iterable<FunctionPair>): FunctionPair[] {
  const units = new Set([...pairs].map((pair) => unitOf(pair.new)));
  return [...units]
    .flatMap((now) => functions.oldOf.get(now) ?? [])
    .map((old) => ({ old, new: functions.newOf.get(old)! }))
    .sort((a, b) => a.old.address - b.old.address);
}

function unitReasons(context: Context, old: CodeFunction, now: CodeFunction): string[] {
  const reasons = reasonsFor(context, old, now);
  for (const part of now.parts) {
    const before = context.functions.oldOf.get(part);
    if (!before) reasons.push(`new part ${part.name}`);
    else if (!sameFunction(context, before, part))
      reasons.push(...reasonsFor(context, before, part).map((reason) => `${part.name}: ${reason}`));
  }
  for (const part of old.parts) if (!context.functions.newOf.has(part)) reasons.push(`part ${part.name} is gone`);
  return reasons;
}

function objectChanges(context: Context): ObjectChange[] {
  const { objects, before, after } = context;
  const changes: ObjectChange[] = [];
  const isCounted = after.image.sections.map((section) => isConstant(section) || isWritable(section));
  const { homes } = after.objects.columns;
  for (const object of pick(after.objects, (i) => isCounted[homes[i]!]! && !context.known.isUnchanged(i))) {
    const old = objects.oldOf.get(object);
    if (!old) changes.push({ change: 'added', old: null, new: object });
    else if (!equalObject(context, old, object)) changes.push({ change: 'modified', old, new: object });
  }
  for (const object of pick(before.objects, (i) => objects.newIndexOf[i]! < 0))
    if (isConstant(object.section) || isWritable(object.section))
      changes.push({ change: 'removed', old: object, new: null });
  return changes;
}

function equalObject(context: Context, old: DataObject, now: DataObject): boolean {
  if (isConstant(now.section)) return sameObject(context, old, now);
  return old.size === now.size && sameBytes(context, old.address, now.address, now.size);
}
