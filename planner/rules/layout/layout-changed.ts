// SPDX-License-Identifier: MIT
/**
 * LAYOUT_CHANGED: a type that changed code uses has another layout: size, members, bit fields, virtual functions, values.
 *
 * Example: `struct request` gains a member. The process is full of requests of the old layout, which new code would
 * misread, and which old code, still running in other threads, would have to share.
 *
 * What changed code uses is what debugging information says of its parameters and variables, and what can be reached from
 * there. A type that is only on the stack of changed functions is none of the process's (stack-only.ts). A changed type of the same
 * source files that no changed function names is LAYOUT_UNUSED, a note, if others that do not change explain that it is there; if
 * nobody does, it may be used by a cast and is refused. Without debugging information there is nothing to go by: a note says so,
 * LAYOUT_UNCHECKED.
 */
import { instructionsOf, referenceOf } from '../../compare/instructions.js';
import type { Side } from '../../compare/side.js';
import { type DebugInfo, debugInfoOf } from '../../elf/dwarf/debug-info.js';
import type { Entry } from '../../elf/dwarf/entries.js';
import { layoutOf, layoutsOf } from '../../elf/dwarf/layouts.js';
import { TAG } from '../../elf/dwarf/names.js';
import type { Unit } from '../../elf/dwarf/units.js';
import type { CodeFunction } from '../../match/functions.js';
import type { Plan } from '../../plan.js';
import type { Judged, RuleFinding } from '../rule.js';
import { compatible, difference } from './difference.js';
import { isStackOnly } from './stack-only.js';
import { functionOf, reachable, targetType, typesNamedIn, unitsOf } from './users.js';

/** What one of the two files says about the functions that change. */
interface Described {
  readonly info: DebugInfo;
  /** By name of a changed function the types that it names itself, or through variables outside of functions. */
  readonly named: ReadonlyMap<string, ReadonlySet<Entry>>;
  readonly units: ReadonlySet<Unit>;
  /** Types that changed code may use. */
  readonly used: ReadonlySet<Entry>;
  readonly changes: (address: number) => boolean;
}

const MOST_USERS = 3;

export function layoutChanged({ plan, placed }: Judged): RuleFinding[] {
  if (plan.modified.length === 0) return [];
  const { before, after } = plan.context;
  const [oldInfo, newInfo] = [debugInfoOf(before.image), debugInfoOf(after.image)];
  if (oldInfo === null || newInfo === null)
    return [unchecked(null, `${(oldInfo === null ? before : after).image.file} has no debugging information`)];
  const old = describe(before, oldInfo, oldFunctions(plan));
  const now = describe(after, newInfo, placed);
  const findings: RuleFinding[] = [];
  for (const { old: fn } of plan.modified) {
    const unit = oldInfo.unitAt(fn.address);
    if (unit?.dwo) findings.push(unchecked(fn.name, `the debugging information of ${fn.name} is in ${unit.dwo}`));
    else if (unit === null) findings.push(unchecked(fn.name, `nothing describes ${fn.name}`));
    else if (!hasTypes(oldInfo, unit))
      findings.push(unchecked(fn.name, `the debugging information of ${fn.name} has no types, as with -g1`));
  }
  for (const [name, [olds, news]] of typesInBoth(old, now)) {
    const finding = judgeType(name, old, olds, now, news);
    if (finding) findings.push(finding);
  }
  return findings.sort((a, b) => (a.symbol! < b.symbol! ? -1 : a.symbol === b.symbol ? 0 : 1));
}

const unchecked = (symbol: string | null, why: string): RuleFinding => ({
  code: 'LAYOUT_UNCHECKED',
  symbol,
  message: `${why}, so the structures were not compared; build both with -g, and without -gsplit-dwarf`,
  allowable: true,
  noteOnly: true,
});

/** -g1 and -gline-tables-only leave out all types and parameters. */
const hasTypes = (info: DebugInfo, unit: Unit): boolean =>
  [...info.entriesOf(unit).values()].some(({ tag }) => SIGNS_OF_TYPES.includes(tag));
/** A unit that describes any types has one of these. */
const SIGNS_OF_TYPES: readonly number[] = [TAG.base, TAG.pointer, TAG.struct, TAG.class, TAG.union, TAG.importedUnit];

const oldFunctions = ({ modified, removed }: Plan): CodeFunction[] => [
  ...modified.flatMap(({ old }) => [old, ...old.parts]),
  ...removed,
];

function describe(side: Side, info: DebugInfo, changed: readonly CodeFunction[]): Described {
  const named = new Map<string, Set<Entry>>();
  const units = new Set<Unit>();
  for (const fn of changed) {
    const entry = info.functionAt(fn.address);
    if (entry === null) continue;
    named.set(fn.name, typesNamedIn(info, entry));
    for (const unit of unitsOf(info, entry)) units.add(unit);
  }
  const variables = variablesOf(info, units);
  for (const fn of changed) for (const type of typesOfVariables(side, variables, fn)) named.get(fn.name)?.add(type);
  const addresses = new Set(changed.map(({ address }) => address));
  const used = reachable(info, new Set([...named.values()].flatMap((types) => [...types])));
  return { info, named, units, used, changes: (address) => addresses.has(address) };
}

/** Types of the variables outside of functions, by address and, of those that are elsewhere, by name. */
function variablesOf(info: DebugInfo, units: Iterable<Unit>): Map<number | string, Entry> {
  const types = new Map<number | string, Entry>();
  for (const unit of units)
    for (const entry of info.entriesOf(unit).values()) {
      if (entry.tag !== TAG.variable) continue;
      const key = entry.address >= 0 ? entry.address : entry.external && functionOf(entry) === null ? entry.name : null;
      const type = key === null ? null : targetType(info, entry.type)?.type;
      if (key !== null && type) types.set(key, type);
    }
  return types;
}

function typesOfVariables(side: Side, variables: ReadonlyMap<number | string, Entry>, fn: CodeFunction): Entry[] {
  const types: Entry[] = [];
  for (const instruction of instructionsOf(fn)) {
    if (instruction.fieldSize === 0) continue;
    const object = side.objectAt(referenceOf(fn, instruction).address);
    if (object === null) continue;
    for (const key of [object.address, ...object.names]) {
      const type = variables.get(key);
      if (type) types.push(type);
    }
  }
  return types;
}

/** Types by name that the units of changed functions have, with the definitions of both files. */
function typesInBoth(old: Described, now: Described): Map<string, readonly [Entry[], Entry[]]> {
  const found = new Map<string, readonly [Entry[], Entry[]]>();
  for (const name of new Set([...old.units, ...now.units].map((unit) => unit.name))) {
    const olds = layoutsOf(old.info, counterparts(old, name));
    const news = layoutsOf(now.info, counterparts(now, name));
    for (const [type, before] of olds) {
      const after = news.get(type);
      if (!after) continue;
      const known = found.get(type) ?? [[], []];
      found.set(type, [
        [...known[0], ...before.filter((entry) => !known[0].includes(entry))],
        [...known[1], ...after.filter((entry) => !known[1].includes(entry))],
      ]);
    }
  }
  return found;
}

/** Units of a source file. Units without a name hold what others import; those that matter are known. */
const counterparts = ({ info, units }: Described, name: string): Unit[] =>
  name === '' ? [...units].filter((unit) => unit.name === '') : info.units.filter((unit) => unit.name === name);

function judgeType(name: string, old: Described, olds: Entry[], now: Described, news: Entry[]): RuleFinding | null {
  const before = olds.map((entry) => layoutOf(old.info, entry));
  const after = news.map((entry) => layoutOf(now.info, entry));
  const gone = before.find((layout) => !after.some((one) => compatible(layout, one)));
  if (gone === undefined) return null;
  const came = after.find((layout) => !before.some((one) => compatible(one, layout))) ?? after[0]!;
  const words = `${name}: ${difference(gone, came)}`;
  const isUsed = olds.some((type) => old.used.has(type)) || news.some((type) => now.used.has(type));
  if (isLocal(name, old, olds) && isLocal(name, now, news)) return null;
  if (!isUsed && isExplained(old, olds) && isExplained(now, news))
    return {
      code: 'LAYOUT_UNUSED',
      symbol: name,
      message: `${words}, but no function that changes is seen to use it; check that none does by a cast`,
      allowable: true,
      noteOnly: true,
    };
  const users = usersOf(now, news);
  const more = users.length > MOST_USERS ? ` and ${users.length - MOST_USERS} more` : '';
  const by = users.length === 0 ? '' : ` (used by ${users.slice(0, MOST_USERS).join(', ')}${more})`;
  return {
    code: 'LAYOUT_CHANGED',
    symbol: name,
    message: `${words}${by}, but the process holds objects of the old layout; keep the layout, or put the new member into a structure of its own`,
    allowable: true,
  };
}

function isLocal(name: string, { info, units, changes }: Described, types: Entry[]): boolean {
  if (!isStackOnly(info, units, new Set(types), changes)) return false;
  // no unit at all may share it; this reads everything, but hardly ever
  const everywhere = layoutsOf(info, info.units).get(name) ?? types;
  return isStackOnly(info, info.units, new Set(everywhere), changes);
}

const usersOf = ({ named }: Described, types: Entry[]): string[] =>
  [...named].filter(([, own]) => types.some((type) => own.has(type))).map(([name]) => name);

/** Whether a variable, parameter or member says what the type is there for. A type that only casts use has none. */
function isExplained({ info, units }: Described, types: Entry[]): boolean {
  const wanted = new Set(types);
  for (const unit of units)
    for (const entry of info.entriesOf(unit).values()) {
      if (entry.tag !== TAG.variable && entry.tag !== TAG.formalParameter && entry.tag !== TAG.member) continue;
      const type = targetType(info, entry.type)?.type;
      if (type && wanted.has(type)) return true;
    }
  return false;
}
