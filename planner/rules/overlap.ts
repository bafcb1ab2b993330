// SPDX-License-Identifier: MIT
/**
 * FUNCTIONS_OVERLAP: two functions that change share bytes of the old file, so that a byte would belong to two detours or guards.
 *
 * Example: assembly with a second entry inside the body of another function, both with a size.
 */
import type { CodeFunction } from '../match/functions.js';
import type { Judged, RuleFinding } from './rule.js';

export function overlap({ plan }: Judged): RuleFinding[] {
  const changed: CodeFunction[] = plan.modified.flatMap(({ old }) => [old, ...old.parts]);
  changed.sort((a, b) => a.address - b.address);
  const findings: RuleFinding[] = [];
  for (let i = 1; i < changed.length; i++) {
    const [one, next] = [changed[i - 1]!, changed[i]!];
    if (next.address >= one.address + one.size) continue;
    findings.push({
      code: 'FUNCTIONS_OVERLAP',
      symbol: next.name,
      message: `function ${next.name} begins inside of ${one.name}, and both change; give each code of its own`,
      allowable: false,
    });
  }
  return findings;
}
