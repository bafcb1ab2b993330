// SPDX-License-Identifier: MIT
/**
 * Whether objects of a type live on the stack of functions that change and nowhere else. Then no old object is left when a
 * thread migrates, because none of these functions is on its stack, and the type may change.
 *
 * So it must be: there are local variables of the type; every mention of it is such a variable, or a parameter, of functions
 * that change. A pointer to it in a local variable may lead to the heap, and makes it shared; so do members, statics, results.
 */
import type { DebugInfo } from '../../elf/dwarf/debug-info.js';
import type { Entry } from '../../elf/dwarf/entries.js';
import { TAG } from '../../elf/dwarf/names.js';
import { isPointer, isQualifier } from '../../elf/dwarf/type-text.js';
import type { Unit } from '../../elf/dwarf/units.js';
import { functionOf, targetType } from './users.js';

/** `changes`: whether the function whose code is at an address is replaced, new or gone. */
export function isStackOnly(
  info: DebugInfo,
  units: Iterable<Unit>,
  types: ReadonlySet<Entry>,
  changes: (address: number) => boolean,
): boolean {
  const entries = [...units].flatMap((unit) => [...info.entriesOf(unit).values()]);
  const instances = instancesIn(entries);
  const allChange = (fn: Entry, depth = 0): boolean =>
    fn.tag === TAG.subprogram &&
    depth < 8 &&
    (fn.ranges.length > 0
      ? fn.ranges.some(({ low }) => changes(low))
      : !isElsewhere(fn) && (instances.get(fn.offset) ?? []).every((instance) => allChange(instance, depth + 1)));
  // code of other units is not seen from here
  const isElsewhere = (fn: Entry): boolean => fn.declaration && !instances.has(fn.offset);
  let locals = 0;
  for (const entry of entries) {
    if (entry.type === 0 || isNoUse(entry)) continue;
    const target = targetType(info, entry.type);
    if (target === null || !types.has(target.type)) continue;
    const home = functionOf(entry);
    const isLocal = entry.tag === TAG.variable && target.pointers === 0 && entry.address < 0 && !entry.external;
    const isParameter = entry.tag === TAG.formalParameter;
    if (home === null || (!isLocal && !isParameter) || !allChange(home)) return false;
    if (isLocal) locals++;
  }
  return locals > 0;
}

/** Ways to spell a type, which are no objects of it. */
const isNoUse = (entry: Entry): boolean =>
  isPointer(entry) || isQualifier(entry) || entry.tag === TAG.typedef || entry.tag === TAG.array;

/** Functions that an entry without code of its own became part of: inlined, or compiled out of line. */
function instancesIn(entries: readonly Entry[]): Map<number, Entry[]> {
  const instances = new Map<number, Entry[]>();
  for (const entry of entries) {
    if (typeof entry.origin !== 'number' || entry.origin === 0) continue;
    if (entry.tag !== TAG.subprogram && entry.tag !== TAG.inlinedSubroutine) continue;
    const home = functionOf(entry);
    if (home) instances.set(entry.origin, [...(instances.get(entry.origin) ?? []), home]);
  }
  return instances;
}
