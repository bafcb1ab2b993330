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

export function dataChanged({ plan }: Judged): RuleFinding[] {
  const { before, objects } = plan.context;
  const { sectionIndices, values } = before.image.dynamicTable;
  const exported = new Set(values.filter((_, i) => sectionIndices[i] !== 0));
  const findings: RuleFinding[] = [];
  for (const { change, old, new: now } of plan.objects) {
    if (change !== 'modified' || !old || !now) continue;
    if (isConstant(now.section) && !exported.has(old.address)) continue;
    const resized = old.size !== now.size;
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
