// SPDX-License-Identifier: MIT
/**
 * Who uses a type, as far as debugging information tells: functions through their parameters, variables and what is inlined into
 * them, and from there through members and pointers.
 */
import type { DebugInfo } from '../../elf/dwarf/debug-info.js';
import type { Entry } from '../../elf/dwarf/entries.js';
import { TAG } from '../../elf/dwarf/names.js';
import { bareType, isPointer } from '../../elf/dwarf/type-text.js';
import type { Unit } from '../../elf/dwarf/units.js';

const VARIABLES: ReadonlySet<number> = new Set([TAG.formalParameter, TAG.variable]);
const DEEPEST = 32;

/** The units that describe a function: its own, those of what is inlined into it, what these import, and their type units. */
export function unitsOf(info: DebugInfo, fn: Entry): Set<Unit> {
  const units = new Set<Unit>();
  for (const entry of within(fn)) for (const { unit } of info.chain(entry)) units.add(unit);
  // a set goes on to what is added while it is walked
  for (const unit of units)
    for (const { imported, type, origin } of info.entriesOf(unit).values())
      for (const link of [imported, type, origin]) {
        const other = typeof link === 'string' || link === imported ? info.entry(link) : null;
        if (other) units.add(other.unit);
      }
  return units;
}

/** An entry and all below it. */
export function* within(entry: Entry): Generator<Entry> {
  const queue = [entry];
  for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
    yield one;
    for (const child of one.children) queue.push(child);
  }
}

/** Types that a function names itself, behind pointers and arrays as well. */
export function typesNamedIn(info: DebugInfo, fn: Entry): Set<Entry> {
  const named = new Set<Entry>();
  const add = (link: Entry['type']) => {
    const type = targetType(info, link)?.type;
    if (type) named.add(type);
  };
  for (const part of new Set([...info.chain(fn), ...within(fn)]))
    for (const entry of info.chain(part)) {
      if (entry.tag === TAG.subprogram || VARIABLES.has(entry.tag)) add(entry.type);
      if (entry.tag === TAG.subprogram || entry.tag === TAG.inlinedSubroutine)
        for (const inner of within(entry))
          if (VARIABLES.has(inner.tag)) for (const one of info.chain(inner)) add(one.type);
    }
  return named;
}

/** All that can be reached from `types` through members, bases and pointers, themselves included. */
export function reachable(info: DebugInfo, types: Iterable<Entry>): Set<Entry> {
  const seen = new Set(types);
  for (const type of seen)
    for (const child of type.children) {
      if (child.tag !== TAG.member && child.tag !== TAG.inheritance) continue;
      const next = targetType(info, child.type)?.type;
      if (next) seen.add(next);
    }
  return seen;
}

/** The type behind typedefs, qualifiers, arrays and pointers. */
export function targetType(info: DebugInfo, link: Entry['type']): { type: Entry; pointers: number } | null {
  let pointers = 0;
  let type = bareType(info, link);
  for (let depth = 0; type && depth < DEEPEST; depth++) {
    if (isPointer(type)) pointers++;
    else if (type.tag !== TAG.array) return { type, pointers };
    type = bareType(info, type.type);
  }
  return null;
}

/** The function that an entry is in: of a function's own entry itself. */
export function functionOf(entry: Entry): Entry | null {
  for (let home: Entry | null = entry; home; home = home.parent)
    if (home.tag === TAG.subprogram || home.tag === TAG.subroutine) return home;
  return null;
}
