// SPDX-License-Identifier: MIT
// The guest's events as lines for a person, in colour. Makes strings; prints nothing.

import pc from 'picocolors';
import type { WindowStats } from '../load/windows.js';
import { workers } from '../servers/memcached.js';
import { type Answer, harmless, overflowing } from '../servers/memcached-probe.js';
import type { GuestEvent } from './guest-events.js';
import { type Outcome, type Overflow, type WindowName, windowNames } from './trial.js';

/** Always in colour: who prints strips it where nobody sees it. */
const { bold, cyan, dim, green, red, yellow } = pc.createColors(true);

export const heading = (text: string): string => `\n${bold(cyan(text))}`;
export const command = (text: string): string => `${dim('$')} ${bold(text)}`;

/** No lines for what is shown at the end, or not worth a line. */
export function linesOf(event: GuestEvent): string[] {
  switch (event.kind) {
    case 'guest':
      return [heading(`The guest runs Linux ${event.kernel} with ${event.processors} processors`)];
    case 'victim':
      return [
        `  The bug: one multiget with ${overflowing} spaces, sent to an unpatched memcached that serves nobody:`,
        `    ${described(event.overflow)}`,
      ];
    case 'servers':
      return [
        heading(
          `memcached (process ${event.proxy}) serves as a proxy with ${workers} workers; process ${event.store} is its store`,
        ),
        `  ${event.threads.length} threads: ${grouped(event.threads.map(({ name }) => name))}`,
      ];
    case 'load':
      return [`  load on ${event.connections} connections, each answer compared byte by byte`];
    case 'steady':
      return [dim(`  waited ${event.seconds} s for the load to become steady`)];
    case 'probe': {
      const when = event.when === 'before' ? 'Before' : 'After';
      const many = `a multiget with ${harmless} spaces, on ${event.answers.length} connections, one per worker`;
      return [`  ${bold(when)}: ${many}:`, ...grouped(event.answers.map(shownAnswer), '\n').split('\n').map(indent)];
    }
    case 'window':
      if (event.name === 'during') return [heading('Applying the patch to the running memcached')];
      return [dim(`  measuring ${event.seconds} s ${event.name} ...`)];
    case 'step':
      return [`  ${bold(event.step)}: ${event.message}`];
    case 'migrated': {
      const { thread, migrated, total, ms } = event;
      const count = `${String(migrated).padStart(2)} of ${total}`;
      return [
        `    ${green('migrated')} ${count}  thread ${String(thread.tid).padEnd(5)} ${thread.name.padEnd(15)} ${dim(ms === null ? 'born there' : `after ${ms.toFixed(2)} ms`)}`,
      ];
    }
    case 'overflow':
      return [
        `  ${bold('After')}: the multiget with ${overflowing} spaces, sent to the patched memcached:`,
        `    ${described(event.overflow)}`,
      ];
    case 'lately':
    case 'trace':
    case 'outcome':
    case 'failed':
      return [];
  }
}

const indent = (line: string) => `    ${line}`;

function shownAnswer(answer: Answer): string {
  if (answer === 'values') return yellow('forwarded, and answered with both values');
  if (answer === 'refused') return green('SERVER_ERROR malformed request');
  return red(JSON.stringify(answer));
}

function described({ answer, ending }: Overflow): string {
  const said = answer === 'connection closed' ? 'no answer' : shownAnswer(answer);
  return ending === null ? `${said}; ${green('it runs on')}` : `${said}; ${red(`the process ended: ${ending}`)}`;
}

/** Equal ones together, in the order of their first. */
function grouped(words: readonly string[], separator = ', '): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => (count > 1 ? `${count} × ${word}` : word)).join(separator);
}

const titles = { before: 'before', during: 'apply', transition: '- transition', after: 'after' } as const;
const widths = [14, 9, 10, 9, 9, 9, 9, 9, 8] as const;
const row = (cells: readonly string[]) =>
  `  ${cells.map((cell, at) => (at ? cell.padStart(widths[at]!) : cell.padEnd(widths[0]))).join('')}`;

export function tableLines({ windows }: Pick<Outcome, 'windows'>): string[] {
  const title = row(['', 'time', 'requests', 'per s', 'p50', 'p99', 'p99.9', 'longest', 'failed']);
  return [
    heading('Requests and their latency'),
    dim(title),
    ...windowNames.map((name) => windowRow(name, windows[name])),
  ];
}

function windowRow(name: WindowName, stats: WindowStats): string {
  const ms = (value: number | null) => (value === null ? '-' : `${value.toFixed(value < 100 ? 1 : 0)} ms`);
  const { seconds, requests, perSecond, p50, p99, p999, max, failed } = stats;
  const time = seconds < 1 ? `${(seconds * 1000).toFixed(0)} ms` : `${seconds.toFixed(1)} s`;
  const cells = [titles[name], time, String(requests), perSecond.toFixed(0), ...[p50, p99, p999, max].map(ms)];
  const line = row([...cells, String(failed)]);
  return failed ? red(line) : name === 'transition' ? bold(line) : line;
}

/** What was shown, and what the figures are worth. */
export function closingLines(outcome: Outcome, problems: readonly string[], accelerator: string): string[] {
  const { totals, looks, apply, overflow } = outcome;
  const facts = [
    `  requests failed: ${totals.failed} of ${totals.requests}    connections dropped: ${totals.dropped} of ${totals.connections}`,
    `  threads stopped: ${looks.stopped}, traced: ${looks.traced}, in ${looks.looks} looks at all threads during the transition (ptrace is not used)`,
    `  view cloned in ${micro(apply.timing.cloneUs)}, ${apply.threads.total} threads migrated in ${micro(apply.timing.transitionUs)}, folded in ${micro(apply.timing.foldUs)}`,
    dim(
      '  apply: from its start to its end; transition: its part from the first migration to the fold. A request counts for',
    ),
    dim(
      '  these two if it was under way at any moment of them. Of fewer than 1000 requests the longest stands as p99.9.',
    ),
    dim(
      accelerator === 'tcg'
        ? '  The guest runs under TCG, an emulator, many times slower than the processor: compare the rows, not the figures with others.'
        : '  The guest runs under KVM with the load generator on the same two processors: compare the rows, not the figures with others.',
    ),
  ];
  const end =
    problems.length > 0
      ? problems.map((problem) => red(`not shown: ${problem}`))
      : [
          green(
            bold(
              `Shown: a request that ends memcached (${overflow.unpatched.ending}) is refused by one that was patched while it served; ` +
                `${apply.threads.total} threads took the new code one by one, none was stopped, no request failed.`,
            ),
          ),
        ];
  return ['', ...facts, '', ...end];
}

const micro = (us: number) => (us < 1000 ? `${us} µs` : `${(us / 1000).toFixed(1)} ms`);
