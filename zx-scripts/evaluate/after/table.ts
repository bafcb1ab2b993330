// SPDX-License-Identifier: MIT
// What a patched server can do, by one that was restarted, as a table. Every figure is a quotient within one repetition; the median over
// the repetitions is shown, with the smallest and the largest. Makes strings; prints nothing.

import { figure } from '../../bench/table.js';
import { markdownTable, textTable } from '../../tables.js';
import { type Spread, spreadOf } from '../synthetic/table.js';
import type { AfterRun, AfterWay } from './case.js';

export interface AfterData {
  readonly runs: AfterRun[];
  readonly ends: { program: string; requests: number; failed: number; dropped: number }[];
}

const head = [
  'server',
  'times',
  'throughput',
  'throughput, noise',
  'processor time',
  'processor time, noise',
  'memory',
];

/** The quotients of this way by `restarted`, one for each repetition that has both. */
export function quotients(
  runs: readonly AfterRun[],
  program: string,
  way: AfterWay,
  of: (run: AfterRun) => number,
): number[] {
  const found = (wanted: AfterWay, repetition: number) =>
    runs.find((run) => run.program === program && run.way === wanted && run.repetition === repetition);
  return runs.flatMap((run) => {
    if (run.program !== program || run.way !== way) return [];
    const base = found('restarted', run.repetition);
    return base ? [of(run) / of(base)] : [];
  });
}

export const afterPrograms = ({ runs }: AfterData): string[] => [...new Set(runs.map(({ program }) => program))];

const text = (spread: Spread | null): string =>
  spread ? `${figure(spread.median)} (${figure(spread.min)} – ${figure(spread.max)})` : '';

function rowsOf(data: AfterData): string[][] {
  return afterPrograms(data).map((program) => {
    const by = (way: AfterWay, of: (run: AfterRun) => number) =>
      text(spreadOf(quotients(data.runs, program, way, of).filter(Number.isFinite)));
    const times = data.runs.filter((run) => run.program === program && run.way === 'patched').length;
    const both = (of: (run: AfterRun) => number) => [by('patched', of), by('again', of)];
    const [throughput, time] = [both(({ perSecond }) => perSecond), both(({ cpuUs }) => cpuUs)];
    return [program, String(times), ...throughput, ...time, by('patched', ({ privateKiB }) => privateKiB)];
  });
}

export const afterTable = (data: AfterData): string => textTable(head, rowsOf(data));

export function afterMarkdown(data: AfterData, guest: 'kvm' | 'tcg' | null): string {
  const lost = data.ends.reduce((sum, { failed, dropped }) => sum + failed + dropped, 0);
  return [
    '## After the transition',
    '',
    'Made by `npm run evaluate -- after`. A server that was started with the old program and patched, every thread migrated and the view',
    'folded, by one that was started with the new program. Both are asked as fast as they answer; they take turns.',
    '',
    ...markdownTable(head, rowsOf(data)),
    '',
    '- Quotients within one repetition: patched by restarted. The median over all, with the smallest and the largest.',
    '- *noise*: the same of a second restart by the first. Where the patched one lies within that, it is as fast as a restarted one.',
    '- *processor time*: what the server’s processes take for a request. *memory*: what is theirs alone.',
    `- ${data.ends.reduce((sum, { requests }) => sum + requests, 0)} requests, ${lost} lost.`,
    `- The guest ran under ${guest === 'kvm' ? 'KVM' : 'TCG, an emulator'}, the load generator on the same two processors.`,
    '',
  ].join('\n');
}
