// SPDX-License-Identifier: MIT
/**
 * LIST_CHANGED: a list that the linker puts together (compare/lists.ts) has other entries.
 *
 * Example: one more variable in `section("commands")`, which a function finds between `__start_commands` and `__stop_commands`. The list
 * lies between other data of the process and cannot grow there; new code goes through the one that is there. What it holds of constants cannot
 * change either: nobody refers to the entries but by the list.
 */
import { type LinkerList, listsOf } from '../compare/lists.js';
import { sameObject } from '../compare/references.js';
import type { Side } from '../compare/side.js';
import { isConstant } from '../elf/sections.js';
import type { DataObject } from '../match/objects.js';
import type { Judged, RuleFinding } from './rule.js';

export function listChanged({ plan: { context } }: Judged): RuleFinding[] {
  const { before, after, objects } = context;
  const findings: RuleFinding[] = [];
  for (const [name, now] of listsOf(after)) {
    const old = listsOf(before).get(name);
    // constructors have a rule of their own
    if (old === undefined || !name.startsWith('__start_')) continue;
    const [olds, news] = [entriesOf(before, old), entriesOf(after, now)];
    const difference =
      news.find((entry) => !objects.oldOf.has(entry)) ??
      olds.find((entry) => !objects.newOf.has(entry)) ??
      news.find((entry, i) => isConstant(entry.section) && (!olds[i] || !sameObject(context, olds[i], entry)));
    if (difference === undefined && old.end - old.start === now.end - now.start) continue;
    const list = name.replace('__start_', '');
    const what = difference === undefined ? `${old.end - old.start} → ${now.end - now.start} bytes` : difference.name;
    findings.push({
      code: 'LIST_CHANGED',
      symbol: list,
      message: `section ${list} is a list that code goes through, and differs in ${what}, but the process has the old one; do it in code, or keep the list that the process has with --allow LIST_CHANGED:${list}`,
      allowable: true,
    });
  }
  return findings;
}

function entriesOf({ objects }: Side, { start, end }: LinkerList): DataObject[] {
  const entries: DataObject[] = [];
  for (let i = objects.firstAbove(start - 1); i < objects.length && objects.columns.addresses[i]! < end; i++)
    entries.push(objects.at(i));
  return entries;
}
