// SPDX-License-Identifier: MIT
/**
 * An address that is the end of one object and the start of another: `&items[COUNT]`, or the variable behind `items`. The linker
 * wrote one number for both. What a function does with either object tells; where that leaves a doubt nobody guesses.
 */
import { referencesIn } from '../compare/absolute.js';
import type { Reference } from '../compare/references.js';
import type { Referent } from '../compare/referent.js';
import type { Side } from '../compare/side.js';
import { isCopied } from '../elf/image.js';
import { isConstant } from '../elf/sections.js';
import { type CodeFunction, unitOf } from '../match/functions.js';
import type { DataObject } from '../match/objects.js';
import type { Plan } from '../plan.js';

/** `both`: they must stay neighbours. */
export type Meaning = 'start' | 'end' | 'both' | 'unknown';

/** No array: nobody walks to its end. */
const SCALAR = 8;

export function meaningOf(plan: Plan, fn: CodeFunction, address: number, ended: DataObject, starts: Referent): Meaning {
  const { before, after, objects } = plan.context;
  if (starts.kind === 'unknown') return 'end';
  if (isGuard(ended) || isTypeInfo(ended) || (starts.kind === 'object' && isGuard(starts.object))) return 'start';
  if (ended.size <= SCALAR || !referencesOf(after, fn).some((one) => after.objectAt(one.address) === ended))
    return 'start';
  if (starts.kind === 'label') return 'end';
  if (starts.kind !== 'object' && starts.kind !== 'constant') return 'start';
  const old = objects.oldOf.get(ended);
  const other = starts.kind === 'object' ? objects.oldOf.get(starts.object) : undefined;
  const end = old && old.size === ended.size ? old.address + old.size : null;
  if (end !== null && other !== undefined && end === other.address) return 'start';
  // the copies of the new file stay there
  if (isCopied(after.image, ended.address) || isCopied(after.image, address)) return 'unknown';
  const home = starts.kind === 'object' ? starts.object.section : starts.section;
  if (home === ended.section && (isConstant(home) || (old === undefined && other === undefined))) return 'both';
  // the old function went to the same end, and what starts there is used for nothing else on either side
  const oldUnit = plan.context.functions.oldOf.get(unitOf(fn));
  if (end === null || oldUnit === undefined) return 'unknown';
  const wentThere = referencesOf(before, oldUnit).some((one) => one.address === end && !one.loaded);
  return wentThere && !usedOtherwise(before, oldUnit, end) && !usedOtherwise(after, fn, address) ? 'end' : 'unknown';
}

/** Guards of C++ statics are single numbers, and named. */
const isGuard = ({ names }: DataObject): boolean => names.some((name) => name.startsWith('_ZGV'));

/** What C++ says of a type: only its start is ever used (Itanium C++ ABI 2.9). */
const isTypeInfo = ({ names }: DataObject): boolean => names.some((name) => name.startsWith('_ZTI'));

/** Something of what starts at `address` is used, and not only as this address. */
function usedOtherwise(side: Side, fn: CodeFunction, address: number): boolean {
  const object = side.objectAt(address);
  const end = object === null ? address + 1 : object.address + object.size;
  return referencesOf(side, fn).some(
    (one) => one.address >= address && one.address < end && (one.loaded || one.address > address),
  );
}

function referencesOf(side: Side, fn: CodeFunction): Reference[] {
  const unit = unitOf(fn);
  return [unit, ...unit.parts].flatMap((part) => referencesIn(side, part));
}

/** Objects that touch each other from `object` on, in both directions, as far as `wanted` goes; in order of address. */
export function neighbours(side: Side, object: DataObject, wanted: (other: DataObject) => boolean): DataObject[] {
  const run = [object];
  const joins = (other: DataObject | null): other is DataObject =>
    other !== null && other.section === object.section && wanted(other);
  for (let first = side.objectBefore(object.address); joins(first); first = side.objectBefore(first.address))
    run.unshift(first);
  const next = () => side.objectAt(run.at(-1)!.address + run.at(-1)!.size);
  for (let last = next(); joins(last) && last.address === run.at(-1)!.address + run.at(-1)!.size; last = next())
    run.push(last);
  return run;
}
