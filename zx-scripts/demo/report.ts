// SPDX-License-Identifier: MIT
// The demo's report: one page that needs nothing else, made with the same means as that of `npm run evaluate`. Makes strings.

import type { describeMachine } from '../bench/machine.js';
import { axis, type Chart, colours, logarithmic } from '../evaluate/report/chart.js';
import { pageOf } from '../evaluate/report/page.js';
import { type Outcome, type Trace, windowNames } from './trial.js';

export interface DemoReport {
  readonly fixName: string;
  readonly version: string;
  readonly outcome: Outcome;
  readonly trace: Trace;
  readonly problems: readonly string[];
  readonly machine: ReturnType<typeof describeMachine>;
  /** The file with the figures, beside the page. */
  readonly file: string;
}

export function demoPage({ fixName, version, outcome, trace, problems, machine, file }: DemoReport): string {
  const markdown = `## ${fixName}, applied to a running memcached ${version}\n\n${factsOf(outcome)}\n\n${tableOf(outcome)}`;
  const charts = [latencyChart(trace), threadsChart(trace)];
  return pageOf('driftpatch: a demo', [{ markdown, charts, machine, problems, command: 'npm run demo', file }]);
}

function factsOf({ apply, totals, looks }: Outcome): string {
  return [
    `- ${apply.threads.migrated} of ${apply.threads.total} threads took the new code, each by itself.`,
    `- ${totals.failed} of ${totals.requests} requests failed, ${totals.dropped} of ${totals.connections} connections were dropped.`,
    `- In ${looks.looks} looks at all threads during the transition ${looks.stopped} were stopped and ${looks.traced} traced.`,
  ].join('\n');
}

function tableOf({ windows }: Outcome): string {
  const before = windows.before;
  const times = (value: number | null, base: number | null) =>
    value === null || !base ? '-' : `${(value / base).toFixed(2)} ×`;
  const rows = windowNames.map((name) => {
    const { requests, failed, p50, p99, max } = windows[name];
    const cells = [times(p50, before.p50), times(p99, before.p99), times(max, before.max)];
    return `| ${[name === 'during' ? 'apply' : name, requests, failed, ...cells].join(' | ')} |`;
  });
  const head = '| window | requests | failed | p50 | p99 | longest |\n| --- | --- | --- | --- | --- | --- |';
  return `${head}\n${rows.join('\n')}\n\nLatencies by those of the window before. Of a window with fewer requests the longest is shorter by chance alone.`;
}

function latencyChart({ points, applied, transition }: Trace): Chart {
  const sorted = points.map(([, latency]) => latency).sort((one, other) => one - other);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 1;
  const area = (from: number, to: number, color: string, opacity: number) => [
    { xAxis: from, itemStyle: { color, opacity } },
    { xAxis: to },
  ];
  return {
    title: 'The latency of requests over time',
    caption:
      'A point is a request (of neighbours, the longest). Shaded: all of driftpatch apply; darker: its transition, from the first thread that may migrate to the fold.',
    option: {
      legend: { show: false },
      xAxis: axis('seconds since the beginning of apply', {
        min: 'dataMin',
        max: 'dataMax',
        axisLabel: { formatter: rounded },
      }),
      yAxis: axis('latency, × median', { ...logarithmic, nameGap: 48, axisLine: { onZero: false } }),
      series: [
        {
          type: 'scatter',
          data: points.map(([at, latency]) => [at, Math.max(latency / middle, 0.01)]),
          symbolSize: 2.5,
          itemStyle: { color: colours['wait-free'], opacity: 0.6 },
          markArea: {
            silent: true,
            data: [area(0, applied, '#0969da', 0.12), area(transition.from, transition.to, '#0969da', 0.35)],
          },
        },
      ],
    },
  };
}

function threadsChart({ migrated, transition }: Trace): Chart {
  const ms = (seconds: number) => Math.round((seconds - transition.from) * 1e6) / 1e3;
  const times = migrated.map(({ at }) => ms(at)).sort((one, other) => one - other);
  const last = Math.max(ms(transition.to), times.at(-1) ?? 0);
  const steps = [[0, 0], ...times.map((at, index) => [Math.max(at, 0), index + 1]), [last, times.length]];
  return {
    title: 'Threads in the new code, as they migrate',
    caption:
      'Each step is a thread that was found, or came by, at a moment that is safe for it. By the kernel’s clock; none waits for another.',
    height: 280,
    option: {
      legend: { show: false },
      xAxis: axis('ms since the first could', { max: 'dataMax', axisLabel: { formatter: rounded } }),
      yAxis: axis('threads', { minInterval: 1 }),
      series: [
        {
          type: 'line',
          step: 'end',
          data: steps,
          symbolSize: 6,
          itemStyle: { color: colours['wait-free'] },
          lineStyle: { color: colours['wait-free'], width: 2.5 },
        },
      ],
    },
  };
}

const rounded = (value: number): string => String(Math.round(value * 100) / 100);
