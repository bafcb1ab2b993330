// SPDX-License-Identifier: MIT
// The charts of the report, each made from the figures that a run has left. Every figure is a quotient within one run.

import { figure } from '../../bench/table.js';
import { type AfterData, afterPrograms, quotients } from '../after/table.js';
import { median } from '../corpus/table.js';
import type { CorpusRow } from '../corpus.js';
import { type Distribution, serverWays, type Trace } from '../servers/case.js';
import { shares, wayName } from '../servers/table.js';
import type { ServersData } from '../servers.js';
import { type SyntheticCase, type SyntheticRun, type WayName, ways } from '../synthetic/case.js';
import { nameOf, relativeTransition, type SyntheticData, spreadOf, standstill } from '../synthetic/table.js';
import { axis, type Chart, colours, logarithmic } from './chart.js';

export function syntheticCharts({ cases, runs }: SyntheticData): Chart[] {
  const threads = cases.filter((one) => one.axis === 'threads');
  const overThreads = (title: string, caption: string, y: string, of: (run: SyntheticRun) => number | null): Chart => ({
    title,
    caption,
    option: {
      xAxis: axis('threads, half of them running', logarithmic),
      yAxis: axis(y, { ...logarithmic, nameGap: 48 }),
      series: ways.flatMap((way) => lineWithSpread(way, threads, runs, of)),
    },
  });
  return [
    overThreads(
      'How long a thread does not get on, over the number of threads',
      'The longest standstill of any thread while the change is made, by the longest in the window before it, where nothing but the scheduler is at work. 1: nobody noticed. The bars are from the smallest to the largest run.',
      'longest standstill, × the window before',
      standstill,
    ),
    overThreads(
      'How long the whole transition takes, over the number of threads',
      'From the first thread that may change to the last one that has, by the longest standstill that scheduling alone has caused in the same run. A long wait-free transition holds nobody up: threads go on all the time.',
      'transition, × longest standstill before',
      (run) => (run.way === 'elsewhere' ? null : relativeTransition(run)),
    ),
    cloneChart(cases, runs),
  ];
}

/** A line through the medians, and a bar from the smallest to the largest at each. */
function lineWithSpread(
  way: WayName,
  cases: readonly SyntheticCase[],
  runs: readonly SyntheticRun[],
  of: (run: SyntheticRun) => number | null,
): object[] {
  const points = cases.flatMap(({ name, value }) => {
    const found = runs.filter((run) => run.name === name && run.way === way).flatMap((run) => of(run) ?? []);
    const spread = spreadOf(found.filter((one) => one > 0));
    return spread ? [{ value, ...spread }] : [];
  });
  if (points.length === 0) return [];
  const color = colours[way];
  return [
    {
      type: 'line',
      name: nameOf(way),
      data: points.map(({ value, median }) => [value, median]),
      symbolSize: 7,
      itemStyle: { color },
      lineStyle: { color, width: way === 'wait-free' ? 3 : 1.5, type: way === 'elsewhere' ? 'dashed' : 'solid' },
      // Spread: a thin line at each point, drawn as a mark so that it needs no legend of its own.
      markLine: {
        silent: true,
        symbol: ['none', 'none'],
        label: { show: false },
        lineStyle: { color, type: 'solid', opacity: 0.45, width: 1.5 },
        data: points.map(({ value, min, max }) => [{ coord: [value, min] }, { coord: [value, max] }]),
      },
    },
  ];
}

function cloneChart(cases: readonly SyntheticCase[], runs: readonly SyntheticRun[]): Chart {
  const memory = cases.filter((one) => one.axis === 'memory');
  const clones = (name: string) =>
    runs.filter((run) => run.name === name && run.way === 'wait-free').flatMap(({ clone }) => clone ?? []);
  const smallest = median(clones(memory[0]?.name ?? ''));
  const points = memory.flatMap(({ name, value }) => {
    const spread = spreadOf(clones(name).map((ms) => ms / smallest));
    return spread ? [{ value, ...spread }] : [];
  });
  return {
    title: 'What it costs to make a view, over resident memory',
    caption: `The time of the clone, by its median with ${memory[0]?.value ?? 0} MiB. No page table is copied below the top, so the line is to stay level.`,
    option: {
      legend: { show: false },
      xAxis: axis('memory that the process has touched, MiB', logarithmic),
      yAxis: axis('clone, × the smallest', { min: 0, nameGap: 44 }),
      series: [
        {
          type: 'line',
          name: 'clone',
          data: points.map(({ value, median }) => [value, median]),
          symbolSize: 7,
          itemStyle: { color: colours['wait-free'] },
          lineStyle: { color: colours['wait-free'], width: 3 },
          markLine: {
            silent: true,
            symbol: ['none', 'none'],
            label: { show: false },
            lineStyle: { color: colours['wait-free'], type: 'solid', opacity: 0.45, width: 1.5 },
            data: points.map(({ value, min, max }) => [{ coord: [value, min] }, { coord: [value, max] }]),
          },
        },
      ],
    },
  };
}

export function corpusCharts(rows: readonly CorpusRow[]): Chart[] {
  const applied = rows.flatMap(({ program, fix, result }) => (result?.held.length ? [{ program, fix, result }] : []));
  const boxes = applied.map(({ result }) => quartiles(result.held));
  return [
    {
      title: 'Real fixes: the longest request during an application, by the longest just before it',
      caption:
        'One box for each fix: the quartiles over its applications, with the smallest and the largest. Both windows are equally long. 1: nobody noticed.',
      height: 90 + 24 * applied.length,
      option: {
        legend: { show: false },
        grid: { left: 130, right: 24, top: 16, bottom: 54 },
        xAxis: axis('longest request, × just before', { ...logarithmic }),
        yAxis: {
          type: 'category',
          inverse: true,
          data: applied.map(({ program, fix }) => `${program} ${fix}`),
          axisLabel: { interval: 0 },
        },
        series: [
          {
            type: 'boxplot',
            data: boxes,
            itemStyle: { color: '#dafbe1', borderColor: colours['wait-free'] },
            markLine: {
              silent: true,
              symbol: 'none',
              label: { show: false },
              lineStyle: { color: '#8b949e', type: 'dashed' },
              data: [{ xAxis: 1 }],
            },
          },
        ],
      },
    },
  ];
}

function quartiles(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  return [0, 0.25, 0.5, 0.75, 1].map((share) => sorted[Math.round(share * (sorted.length - 1))]!);
}

export function serversCharts({ distributions, traces }: ServersData): Chart[] {
  const programs = [...new Set(distributions.map(({ program }) => program))];
  return programs.flatMap((program) => [
    traceChart(
      program,
      traces.filter((trace) => trace.program === program && trace.loop === 'open' && trace.way !== 'elsewhere'),
    ),
    distributionChart(
      program,
      distributions.filter((one) => one.program === program && one.loop === 'open'),
    ),
  ]);
}

/** Around one application of each way: the longest of neighbouring requests. */
function traceChart(program: string, traces: readonly Trace[]): Chart {
  const times = traces.map(({ way, seconds }) => `${wayName[way]} ${figure(seconds)} s`);
  return {
    title: `${program}: latency over time, around one application of each way`,
    caption: `Open loop. Of requests that end about the same time the longest. The line at 0: driftpatch apply begins, or the barrier is raised; it takes ${times.join(', ')} of the guest’s time, with all that is done before any thread is touched.`,
    option: {
      xAxis: axis('seconds since the beginning of the application', {
        ...{ min: 'dataMin', max: 'dataMax', axisLabel: { showMinLabel: false, showMaxLabel: false } },
      }),
      yAxis: axis('latency, × median', { ...logarithmic, nameGap: 48 }),
      series: traces.map(({ way, points }, at) => {
        const middle = median(points.map(([, latency]) => latency));
        return {
          type: 'line',
          name: wayName[way],
          data: points.map(([when, latency]) => [when, Math.max(latency / middle, 0.01)]),
          showSymbol: false,
          itemStyle: { color: colours[way] },
          lineStyle: { color: colours[way], width: way === 'wait-free' ? 2 : 1.2 },
          ...(at === 0 && {
            markLine: {
              silent: true,
              symbol: 'none',
              label: { show: false },
              lineStyle: { color: '#0969da', type: 'solid', width: 1 },
              data: [{ xAxis: 0 }],
            },
          }),
        };
      }),
    },
  };
}

const leastBeyond = 5;

/** How many requests take longer than: one line for each way, and one for where nothing happens. */
function distributionChart(program: string, found: readonly Distribution[]): Chart {
  const first = found.find(({ way }) => way === 'wait-free');
  const middle = first?.quiet[shares.indexOf(50)] ?? 1;
  const line = (name: string, color: string, quantiles: readonly number[], samples: number, type = 'solid') => ({
    type: 'line',
    name,
    showSymbol: false,
    itemStyle: { color },
    lineStyle: { color, width: 2, type },
    // As far as it is more than chance.
    data: shares.flatMap((share, at) =>
      ((100 - share) / 100) * samples >= leastBeyond ? [[quantiles[at]! / middle, (100 - share) / 100]] : [],
    ),
  });
  return {
    title: `${program}: which part of the requests takes longer than so long`,
    caption:
      'Open loop, all windows of all applications together. The lower a line is, the better; where two lie on each other, nobody noticed.',
    option: {
      xAxis: axis('latency, × the median without a patch', {
        ...{ ...logarithmic, min: 'dataMin', axisLabel: { showMinLabel: false } },
      }),
      yAxis: axis('part of the requests', { ...logarithmic, nameGap: 48, min: 0.0001, max: 1 }),
      series: [
        ...(first ? [line('nothing happens', '#57606a', first.quiet, first.samples.quiet, 'dotted')] : []),
        ...serverWays.flatMap((way) => {
          const one = found.find((distribution) => distribution.way === way);
          const type = way === 'elsewhere' ? 'dashed' : 'solid';
          return one ? [line(wayName[way], colours[way], one.patched, one.samples.patched, type)] : [];
        }),
      ],
    },
  };
}

/** For each server two boxes: patched by restarted, and restarted by restarted. */
export function afterCharts(data: AfterData): Chart[] {
  const programs = afterPrograms(data);
  const boxes = (way: 'patched' | 'again', name: string, color: string, fill: string) => ({
    type: 'boxplot',
    name,
    data: programs.map((program) => quartiles(quotients(data.runs, program, way, ({ perSecond }) => perSecond))),
    itemStyle: { color: fill, borderColor: color },
  });
  return [
    {
      title: 'After the transition: throughput by that of a restarted server',
      caption:
        'Quartiles over the repetitions, with the smallest and the largest. Grey: a second restart by the first, which is what chance alone does.',
      height: 120 + 50 * programs.length,
      option: {
        grid: { left: 110, right: 24, top: 46, bottom: 54 },
        xAxis: axis('requests per second, × restarted', { scale: true }),
        yAxis: { type: 'category', inverse: true, data: programs, axisLabel: { interval: 0 } },
        series: [
          boxes('patched', 'patched and folded', colours['wait-free'], '#dafbe1'),
          boxes('again', 'restarted again', colours.elsewhere, '#f6f8fa'),
        ],
      },
    },
  ];
}
