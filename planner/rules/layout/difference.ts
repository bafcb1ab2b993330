// SPDX-License-Identifier: MIT
/** Whether objects of an old layout can be used by code for a new one, and in words why not. */
import type { Layout, Member } from '../../elf/dwarf/layouts.js';
import { sameShape } from '../../elf/dwarf/type-text.js';

export function compatible(old: Layout, now: Layout): boolean {
  if (old.kind !== now.kind || old.size !== now.size) return false;
  if (old.kind === 'enum') return changedValue(old, now) === null;
  return (
    old.members.length === now.members.length &&
    old.members.every((member, i) => sameMember(member, now.members[i]!)) &&
    old.virtuals.length === now.virtuals.length &&
    old.virtuals.every(({ name, slot }, i) => now.virtuals[i]!.name === name && now.virtuals[i]!.slot === slot)
  );
}

const sameMember = (a: Member, b: Member): boolean =>
  a.name === b.name && a.offset === b.offset && a.bits === b.bits && sameShape(a.shape, b.shape);

/** What a person wants to hear first: a member that is new or gone, then one that moved, then the size. */
export function difference(old: Layout, now: Layout): string {
  if (old.kind === 'enum' && now.kind === 'enum')
    return changedValue(old, now) ?? `its size is ${old.size} → ${now.size} bytes`;
  const words = [...changedMembers(old.members, now.members), ...changedVirtuals(old, now)];
  if (old.size !== now.size) words.push(`its size is ${old.size} → ${now.size} bytes`);
  return words.join(' and ') || 'its members are in another order';
}

function changedMembers(old: readonly Member[], now: readonly Member[]): string[] {
  const words: string[] = [];
  const find = (members: readonly Member[], name: string) => members.find((member) => member.name === name);
  const added = now.find(({ name }) => !find(old, name));
  const gone = old.find(({ name }) => !find(now, name));
  if (added) words.push(`member ${added.name} is new at ${place(added)}`);
  if (gone) words.push(`member ${gone.name} is gone`);
  if (words.length > 0) return words;
  for (const member of now) {
    const before = find(old, member.name)!;
    if (sameMember(before, member)) continue;
    if (place(before) !== place(member))
      return [`member ${member.name} moved from ${place(before)} to ${place(member)}`];
    return [`member ${member.name} at ${place(member)} is ${before.type()} → ${member.type()}`];
  }
  return words;
}

function changedVirtuals(old: Layout, now: Layout): string[] {
  const has = ({ virtuals }: Layout, name: string, slot: number) =>
    virtuals.some((one) => one.name === name && one.slot === slot);
  const added = now.virtuals.find(({ name, slot }) => !has(old, name, slot));
  const gone = old.virtuals.find(({ name, slot }) => !has(now, name, slot));
  return [
    ...(added ? [`virtual function ${added.name} is new in slot ${added.slot} of its table`] : []),
    ...(gone ? [`virtual function ${gone.name} is no longer in slot ${gone.slot} of its table`] : []),
  ];
}

/** An enumerator that means another value now, in words; null if there is none. New ones mean nothing to old code. */
function changedValue(old: Layout, now: Layout): string | null {
  const values = new Map(now.members.map(({ name, offset }) => [name, offset]));
  const changed = old.members.find(
    (member) => values.has(member.name) && values.get(member.name) !== member.offset && !counts(member, old, now),
  );
  return changed ? `${changed.name} is ${values.get(changed.name)} instead of ${changed.offset}` : null;
}

/** The last enumerator of many a list says how many there are; that it grows with the list changes no object. */
function counts({ name, offset }: Member, old: Layout, now: Layout): boolean {
  const last = (layout: Layout) =>
    layout.members.every((member) => member.name === name || member.offset < ofName(layout));
  const ofName = (layout: Layout) => layout.members.find((member) => member.name === name)!.offset;
  return (
    last(old) &&
    last(now) &&
    ofName(now) > offset &&
    /(^|_)(n|num|nr|count|max|last|end|total|size)(_|$|s$)/i.test(name)
  );
}

const place = ({ offset, bits }: Member): string =>
  bits === null ? `${offset / 8}` : `${Math.floor(offset / 8)} bit ${offset % 8} (${bits} wide)`;
