// SPDX-License-Identifier: MIT
/**
 * LAYOUT_CHANGED: a structure has another size, or members elsewhere, or an enumeration has other values.
 *
 * Example: `struct request` gains a member. The process is full of requests of the old layout, which new code would
 * misread and old code, still running in other threads, would have to share. New enumerators that leave the others'
 * values alone are fine. Without debugging information there is nothing to go by: a note says so (LAYOUT_UNCHECKED).
 */
import { type Layout, type Member, readTypes } from '../elf/dwarf/types.js';
import type { Judged, RuleFinding } from './rule.js';

export function layoutChanged({ plan }: Judged): RuleFinding[] {
  if (plan.modified.length === 0) return [];
  const [before, after] = [readTypes(plan.context.before.image), readTypes(plan.context.after.image)];
  if (before === null || after === null)
    return [unchecked((before === null ? plan.context.before : plan.context.after).image.file)];
  const findings: RuleFinding[] = [];
  for (const [name, olds] of before) {
    const news = after.get(name);
    if (!news) continue;
    const gone = olds.filter((old) => !news.some((now) => compatible(old, now)));
    if (gone.length === 0) continue;
    const now = news.find((layout) => !olds.some((old) => compatible(old, layout))) ?? news[0]!;
    findings.push({
      code: 'LAYOUT_CHANGED',
      symbol: name,
      message: `${name}: ${difference(gone[0]!, now)}, but the process holds objects of the old layout; keep the layout, or put the new member into a structure of its own`,
      allowable: true,
    });
  }
  return findings;
}

const unchecked = (file: string): RuleFinding => ({
  code: 'LAYOUT_UNCHECKED',
  symbol: null,
  message: `${file} has no debugging information, so structures were not compared; build both with -g`,
  allowable: true,
  noteOnly: true,
});

function compatible(old: Layout, now: Layout): boolean {
  if (old.kind !== now.kind || old.size !== now.size) return false;
  if (old.kind === 'enum') {
    const values = new Map(now.members.map(({ name, offset }) => [name, offset]));
    return old.members.every(({ name, offset }) => values.get(name) === undefined || values.get(name) === offset);
  }
  return (
    old.members.length === now.members.length && old.members.every((member, i) => sameMember(member, now.members[i]!))
  );
}

const sameMember = (a: Member, b: Member): boolean => a.name === b.name && a.offset === b.offset && a.bits === b.bits;

/** What a person wants to hear first: a member that is new or gone, then one that moved, then the size. */
function difference(old: Layout, now: Layout): string {
  if (old.kind === 'enum' && now.kind === 'enum') return changedValue(old, now);
  const words: string[] = [];
  const find = (layout: Layout, name: string) => layout.members.find((member) => member.name === name);
  const added = now.members.find(({ name }) => !find(old, name));
  const gone = old.members.find(({ name }) => !find(now, name));
  if (added) words.push(`member ${added.name} is new at ${place(added)}`);
  if (gone) words.push(`member ${gone.name} is gone`);
  if (!added && !gone) {
    const moved = now.members.find((member) => !sameMember(find(old, member.name)!, member));
    if (moved) words.push(`member ${moved.name} moved from ${place(find(old, moved.name)!)} to ${place(moved)}`);
  }
  if (old.size !== now.size) words.push(`its size is ${old.size} → ${now.size} bytes`);
  return words.join(' and ') || 'its members are in another order';
}

/** An enumerator's value stands where a member has its offset. */
function changedValue(old: Layout, now: Layout): string {
  const values = new Map(now.members.map(({ name, offset }) => [name, offset]));
  const changed = old.members.find(({ name, offset }) => values.has(name) && values.get(name) !== offset);
  return changed
    ? `${changed.name} is ${values.get(changed.name)} instead of ${changed.offset}`
    : `its size is ${old.size} → ${now.size} bytes`;
}

const place = ({ offset, bits }: Member): string =>
  bits === null ? `${offset / 8}` : `${Math.floor(offset / 8)} bit ${offset % 8} (${bits} wide)`;
