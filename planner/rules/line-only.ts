// SPDX-License-Identifier: MIT
/**
 * LINE_ONLY, a note: a function differs in nothing but the numbers of source lines, and is not replaced.
 *
 * Example: the fix adds five lines, and every assert() below them now reports a line that is higher by five. The old
 * function goes on to report the old line. If a function changes for another reason, its new lines come with it.
 */
import type { Judged, RuleFinding } from './rule.js';

export function lineOnly({ plan }: Judged): RuleFinding[] {
  return plan.lineOnly.map(({ old }) => ({
    code: 'LINE_ONLY',
    symbol: old.name,
    message: `function ${old.name} differs only in the line numbers that it reports, and stays as it is`,
    allowable: true,
    noteOnly: true,
  }));
}
