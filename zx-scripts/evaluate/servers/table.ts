// SPDX-License-Identifier: MIT
// Latencies while a server is patched, as a table. A quotient is formed for each application (its window by the quiet one before it),
// and of these the median is shown with its quartiles. Makes strings; prints nothing.

import { figure } from '../../bench/table.js';
import { markdownTable, textTable } from '../../tables.js';
import { median } from '../corpus/table.js';
import type { ServersData } from '../servers.js';
import { type Latencies, type ServerRun, type ServerWay, serverWays } from './case.js';

const head = [
  ...['server', 'loop', 'way', 'times', 'throughput', 'p50', 'p99', 'p99.9', 'by the twin’s', 'longest'],
  'p99.9, all windows',
];

export const wayName: Readonly<Record<ServerWay, string>> = {
  elsewhere: '(its twin is patched)',
  'wait-free': 'wait-free',
  stop: '--mode stop',
  barrier: 'barrier',
};

const quotients = (runs: readonly ServerRun[], of: (latencies: Latencies) => number): number[] =>
  runs.map(({ quiet, patched }) => of(patched) / of(quiet));

/** The median, and the quartiles. */
function text(values: readonly number[]): string {
  if (values.length === 0) return '';
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => figure(sorted[Math.floor(share * (sorted.length - 1))]!);
  return `${figure(median(sorted))} (${at(0.25)} – ${at(0.75)})`;
}

const p999 = ({ p999 }: Latencies): number => p999;

function rowsOf({ runs, distributions }: ServersData): string[][] {
  const rows: string[][] = [];
  for (const program of new Set(runs.map((run) => run.program)))
    for (const loop of ['closed', 'open'] as const)
      for (const way of serverWays) {
        const by = (wanted: ServerWay) =>
          runs.filter((run) => run.program === program && run.loop === loop && run.way === wanted);
        const these = by(way);
        // those of one turn, a few seconds apart
        const twins = quotients(by('elsewhere'), p999);
        const byTwin = quotients(these, p999).flatMap((value, turn) => (turn in twins ? [value / twins[turn]!] : []));
        if (these.length === 0) continue;
        const all = distributions.find((one) => one.program === program && one.loop === loop && one.way === way);
        rows.push([
          program,
          loop,
          wayName[way],
          String(these.length),
          text(quotients(these, ({ perSecond }) => perSecond)),
          text(quotients(these, ({ p50 }) => p50)),
          text(quotients(these, ({ p99 }) => p99)),
          text(quotients(these, p999)),
          way === 'elsewhere' ? '' : text(byTwin),
          text(quotients(these, ({ max }) => max)),
          all ? figure(share(all.patched, 99.9) / share(all.quiet, 99.9)) : '',
        ]);
      }
  return rows;
}

const AIM = 1.05;

/** In how many of the loops each way reaches the aim. */
function aimReached({ runs }: ServersData): string {
  const loops = [...new Set(runs.map(({ program, loop }) => `${program} ${loop}`))];
  return (['wait-free', 'stop', 'barrier'] as const)
    .flatMap((way) => {
      const medians = loops.flatMap((name) => {
        const these = runs.filter((run) => `${run.program} ${run.loop}` === name && run.way === way);
        return these.length === 0 ? [] : [median(quotients(these, p999))];
      });
      if (medians.length === 0) return [];
      const reached = medians.filter((value) => value <= AIM).length;
      return `${wayName[way]} in ${reached} of ${medians.length} loops, at worst ${figure(Math.max(...medians))}`;
    })
    .join('; ');
}

/** The quantiles that trial.ts gives: 1 to 90 in steps of one, then these. */
const last = [91, 92, 93, 94, 95, 96, 97, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99, 100];
export const shares: readonly number[] = [...Array.from({ length: 90 }, (_, at) => at + 1), ...last];
const share = (quantiles: readonly number[], wanted: number) => quantiles[shares.indexOf(wanted)]!;

export const serversTable = (data: ServersData): string => textTable(head, rowsOf(data));

export function serversMarkdown(data: ServersData, guest: 'kvm' | 'tcg' | null): string {
  const lost = data.ends.reduce((sum, { failed, dropped }) => sum + failed + dropped, 0);
  return [
    '## What requests feel',
    '',
    'Made by `npm run evaluate -- servers`. Each server is patched again and again under load, and the window of time in which that happens',
    'is compared with the one before it, equally long, in which nothing happens. The ways take turns on one process, which has a barrier',
    'compiled in, and all have windows of one length: half a second to four. An application that takes longer is compared with a window as',
    'long as that, behind it.',
    '',
    ...markdownTable(head, rowsOf(data)),
    '',
    '- Quotients: the window with an application by the one before. The median over all applications, and the quartiles.',
    `- The aim was a p99.9 of at most ${AIM}: ${aimReached(data)}.`,
    '- *closed*: each connection asks again when it has been answered. *open*: requests are due at fixed times, at half the rate of the closed',
    '  loop; a latency counts from when the request was due, so that a server that stands still is charged with all that it kept waiting.',
    '- *(its twin is patched)*: the same server once more, of which nobody asks anything, is patched. driftpatch does the same work, which takes',
    '  processor time from everybody on the machine, but the server is left alone. *by the twin’s*: the quotient for p99.9 by that of this',
    '  row in the same turn: what the change itself costs.',
    '- *barrier*: classic global quiescence. Every loop of events and every task of a thread pool gathers at points where nothing is under way,',
    '  and goes on. No code is changed meanwhile, and no work of driftpatch’s is in it: it is the least that such a barrier costs.',
    '- driftpatch is running already when a window begins: the start of Node, which an operator would see once, is not in it.',
    '- *p99.9, all windows*: of all requests of all windows of a kind together. A single window has too few requests for it.',
    `- ${data.ends.reduce((sum, { requests }) => sum + requests, 0)} requests, ${lost} lost.`,
    `- The guest ran under ${guest === 'kvm' ? 'KVM' : 'TCG, an emulator'}, the load generator on the same two processors.`,
    '',
  ].join('\n');
}
