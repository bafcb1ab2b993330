// SPDX-License-Identifier: MIT
/**
 * DATA_CHANGED: a variable has another initial value or size.
 *
 * Example: `static int limit = 10;` becomes 20. The process has run with 10, and may have stored something else since; the new
 * value reaches it only if code sets it. An author who wants the old value to stay may allow it. A variable
 * of another size cannot be had at all: the old one lies between others.
 *
 * Constants are no variables: changed ones go with the functions that use them. But one that other objects can
 * see by name is a variable as far as we know.
 */
import { isConstant } from '../elf/sections.js';
import type { Judged, RuleFinding } from './rule.js';

/** The class whose vtable has this name, as C++ spells it where that is simple; null for what is no vtable. */
export function vtableOf(name: string): string | null {
  const mangled = /^_ZTV(.+)$/.exec(name)?.[1];
  if (mangled === undefined) return null;
  const words: string[] = [];
  const nested = /^N(.+)E$/.exec(mangled)?.[1];
  for (let rest = nested ?? mangled; rest !== ''; ) {
    const length = /^\d+/.exec(rest)?.[0];
    const word = length && rest.slice(length.length, length.length + Number(length));
    if (!word || word.length !== Number(length)) return mangled;
    words.push(word);
    rest = rest.slice(length.length + word.length);
  }
  return words.join('::');
}

export function dataChanged({ plan }: Judged): RuleFinding[] {
  const { before, objects } = plan.context;
  const { sectionIndices, values } = before.image.dynamicTable;
  const exported = new Set(values.filter((_, i) => sectionIndices[i] !== 0));
  const findings: RuleFinding[] = [];
  for (const { change, old, new: now } of plan.objects) {
    if (change !== 'modified' || !old || !now) continue;
    if (isConstant(now.section) && !exported.has(old.address)) continue;
    const resized = old.size !== now.size;
    const owner = vtableOf(now.name);
    if (owner !== null) {
      const how = resized ? `${old.size} → ${now.size} bytes` : 'other functions';
      findings.push({
        code: 'DATA_CHANGED',
        symbol: now.name,
        message: `class ${owner}: its table of virtual functions has ${how}, but the objects that the process has point at the old one; keep the virtual functions as they are and change what they do${resized ? '' : `, or keep the old table with --allow DATA_CHANGED:${now.name}`}`,
        allowable: !resized,
      });
      continue;
    }
    const what = resized ? `${old.size} → ${now.size} bytes` : `another initial value in ${now.section.name}`;
    const advice = resized
      ? 'add a new variable instead'
      : `set it in code, or keep the value the process has with --allow DATA_CHANGED:${now.name}`;
    findings.push({
      code: 'DATA_CHANGED',
      symbol: now.name,
      message: `variable ${now.name}: ${what}, but the process already has it; ${advice}`,
      allowable: !resized,
    });
  }
  for (const now of objects.guessed) {
    if (isConstant(now.section)) continue;
    findings.push({
      code: 'DATA_AMBIGUOUS',
      symbol: now.name,
      message: `variable ${now.name}${now.file ? ` of ${now.file}` : ''}: several share its name and their number changed, which is which cannot be told; give the new one another name`,
      allowable: true,
    });
  }
  return findings;
}
