// SPDX-License-Identifier: MIT
// The corpus as a table: for a terminal, and as the section of docs/evaluation.md. Makes strings; prints nothing.

import { figure } from '../../bench/table.js';
import { subjectNamed, subjects } from '../../servers/subjects.js';
import { markdownTable, textTable } from '../../tables.js';
import type { CorpusRow } from '../corpus.js';
import type { CaseResult } from './case.js';

const head = [
  ...['program', 'fix', 'functions', 'threads', 'applied / reverted', 'transition', 'held up', 'requests', 'lost'],
  'seen to be in effect by',
];

export function corpusTable(rows: readonly CorpusRow[]): string {
  return textTable(head, rows.map(cellsOf), { colWidths: [11, 25, 11, 9, 10, 12, 8, 10, 6, 40], wordWrap: true });
}

export function corpusMarkdown(rows: readonly CorpusRow[], guest: 'kvm' | 'tcg' | null): string {
  const results = rows.flatMap(({ result }) => result ?? []);
  const sum = (of: (result: CaseResult) => number) => results.reduce((total, result) => total + of(result), 0);
  return [
    '## Real fixes on real servers',
    '',
    'Made by `npm run evaluate -- corpus`. The fixes are those that Debian 12 keeps apart in the source packages of these programs; the',
    'one of slapd is ours. Each is built before and after; what `planner diff` makes of the two is applied to the running old',
    'one under load, checked to be in effect, reverted, checked to be out of effect, and applied again.',
    '',
    ...markdownTable(head, rows.map(cellsOf)),
    '',
    `Together: ${sum(({ applied }) => applied)} times applied, ${sum(({ reverted }) => reverted)} times reverted,`,
    `${sum(({ totals }) => totals.requests)} requests on ${sum(({ totals }) => totals.connections)} connections,`,
    `${sum(({ totals }) => totals.failed)} requests failed, ${sum(({ totals }) => totals.dropped)} connections dropped.`,
    '',
    ...notRun(rows),
    '- *functions*: replaced + new.  *threads*: of all processes that are patched: the most that have migrated.',
    '- *transition*: the median time from the first migration to the fold, by the median time of a request in the same run.',
    '- *held up*: the longest request that was under way while a patch was applied, by the longest of an equally long time just',
    '  before; the median over all times. 1 means that nobody noticed; the spread of such a quotient is wide. driftpatch itself, which',
    '  takes its time on the same two processors as server and load, is in it: `npm run evaluate -- servers` tells the two apart.',
    '- *lost*: requests that failed + connections that ended. Each answer is compared byte by byte.',
    '- *seen*: old answer → new answer, where the difference can be asked for safely; otherwise the functions’ entries as they stand in',
    '  the process’s memory, and what `driftpatch status` says. Entries are looked at in all cases.',
    `- The guest ran under ${guest === 'kvm' ? 'KVM' : 'TCG, an emulator many times slower than the processor'}: times count as`,
    '  quotients within one run, and nothing else is claimed of them.',
    '',
  ].join('\n');
}

/** Fixes that the servers' files name, and that no row is about. */
function notRun(rows: readonly CorpusRow[]): string[] {
  const missing = subjects.flatMap(({ program, fixes }) => {
    const left = fixes.filter(({ index }) => !rows.some((row) => row.program === program.name && row.fix === index));
    return left.length > 0 ? [`${program.name} ${left.map(({ index }) => index).join(' ')}`] : [];
  });
  return missing.length > 0 ? [`- **Not run:** ${missing.join(', ')} (by their index in the series).`] : [];
}

function cellsOf(row: CorpusRow): string[] {
  const { program, version, name, modified, added, refusals, status, result, problems } = row;
  const first = [`${program} ${version}`, name.replace(/\.(patch|diff)$/, '')];
  if (status === 3) return [...first, '0', '', 'no code differs', '', '', '', '', asExpected(problems)];
  const functions = added.length > 0 ? `${modified.length} + ${added.length}` : `${modified.length}`;
  if (status === 4)
    return [...first, functions, '', `refused: ${refusals.join(', ')}`, '', '', '', '', asExpected(problems)];
  if (!result) return [...first, functions, '', 'no account', '', '', '', '', ''];
  const { threads, processes, applied, reverted, transitions, quiet, held, totals, behaviour } = result;
  const about = subjectNamed(program).fixes.find(({ index }) => index === row.fix)?.about ?? '';
  return [
    ...first,
    functions,
    processes > 1 ? `${threads} in ${processes}` : `${threads}`,
    `${applied} / ${reverted}`,
    `${figure(median(transitions) / 1000 / quiet)} ×`,
    `${figure(median(held))} ×`,
    `${totals.requests}`,
    `${totals.failed} + ${totals.dropped}`,
    result.problems.length > 0
      ? `NOT SHOWN: ${result.problems[0]}`
      : behaviour
        ? `${about}: \`${behaviour.old}\` → \`${behaviour.new}\``
        : 'entries and status',
  ];
}

const asExpected = (problems: readonly string[]): string => (problems.length > 0 ? 'NOT as expected' : 'as it must be');

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
