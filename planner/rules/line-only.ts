// SPDX-License-Identifier: MIT
/**
 * LINE_ONLY, a note: a function differs in nothing but the numbers of source lines, and is not replaced.
 *
 * Example: the fix adds five lines, and every assert() below them now reports a line that is higher by five. The old
 * function goes on to report the old line. If a function changes for another reason, its new lines come with it.
 */
import type { Finding } from '../patch-file/model.js';
import type { Judged, RuleFinding } from './rule.js';

const MOST_NAMES = 4;

export function lineOnly({ plan }: Judged): RuleFinding[] {
  return plan.lineOnly.map(({ old }) => ({
    code: 'LINE_ONLY',
    symbol: old.name,
    message: `function ${old.name} differs only in the line numbers that it reports, and stays as it is`,
    allowable: true,
    noteOnly: true,
  }));
}

/** Many functions that differ in line numbers only become one note. */
export function shortNotes(notes: readonly Finding[]): readonly Finding[] {
  const lines = notes.filter(({ code }) => code === 'LINE_ONLY');
  if (lines.length < 2) return notes;
  const names = lines.slice(0, MOST_NAMES).map(({ symbol }) => symbol);
  const more = lines.length > MOST_NAMES ? ` and ${lines.length - MOST_NAMES} more (--explain)` : '';
  const message = `${lines.length} functions differ only in the line numbers that they report, and stay as they are: ${names.join(', ')}${more}`;
  return [...notes.filter((note) => !lines.includes(note)), { code: 'LINE_ONLY', symbol: null, message }];
}
