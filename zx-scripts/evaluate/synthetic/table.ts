// SPDX-License-Identifier: MIT
// The synthetic evaluation as a table. Every figure is formed within a run (the window of the change by the window before it), then
// the median over the runs is taken, with the smallest and the largest. Makes strings; prints nothing.

import { figure } from '../../bench/table.js';
import { markdownTable, textTable } from '../../tables.js';
import { median } from '../corpus/table.js';
import type { SyntheticCase, SyntheticRun, WayName } from './case.js';

export interface SyntheticData {
  readonly cases: readonly SyntheticCase[];
  readonly runs: readonly SyntheticRun[];
}

const head = [
  'case',
  'way',
  'longest standstill',
  'of a typical thread',
  'throughput',
  'transition',
  'a typical thread',
  'clone',
  'operation after',
  'memory after',
  'outcome',
];

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

export const standstill = ({ longest }: SyntheticRun): number => longest.during / longest.before;
/** By the longest standstill that scheduling alone has caused in the same run. */
export const relativeTransition = ({ transition, longest }: SyntheticRun): number | null =>
  transition === null ? null : transition / longest.before;

/** How long the median thread's change follows the first one's, by the same. */
export const typicalReach = ({ reached, longest }: SyntheticRun): number | null =>
  reached === null ? null : reached.median / longest.before;

function rowsOf({ cases, runs }: SyntheticData): string[][] {
  const rows: string[][] = [];
  for (const { name, ways } of cases)
    for (const way of ways) {
      const these = runs.filter((run) => run.name === name && run.way === way);
      const done = these.filter(({ state }) => state === 'done');
      const clones = done.flatMap(({ clone, way }) => (clone === null || way === 'elsewhere' ? [] : [clone]));
      rows.push([
        name,
        nameOf(way),
        text(spreadOf(these.map(standstill))),
        text(spreadOf(these.map(({ typical }) => typical.during / typical.before))),
        text(spreadOf(these.map(({ rounds }) => rounds.during / rounds.before))),
        way === 'elsewhere' ? '' : text(spreadOf(done.flatMap((run) => relativeTransition(run) ?? []))),
        way === 'elsewhere' ? '' : text(spreadOf(done.flatMap((run) => typicalReach(run) ?? []))),
        way === 'wait-free' ? text(spreadOf(clones.map((ms) => ms / cloneOfFirst(cases, runs)))) : '',
        text(spreadOf(done.map(({ operation }) => operation.after / operation.before).filter(Number.isFinite))),
        text(spreadOf(done.map(({ memory }) => memory.after / memory.before))),
        outcomes(these),
      ]);
    }
  return rows;
}

export const nameOf = (way: WayName): string =>
  ({ elsewhere: '(on another process)', 'wait-free': 'wait-free', stop: '--mode stop', barrier: 'barrier' })[way];

/** The median time of a clone in the first case: what the others are compared with. */
function cloneOfFirst(cases: readonly SyntheticCase[], runs: readonly SyntheticRun[]): number {
  const first = runs.filter(({ name, way, clone }) => name === cases[0]?.name && way === 'wait-free' && clone !== null);
  return median(first.map(({ clone }) => clone!));
}

function outcomes(runs: readonly SyntheticRun[]): string {
  const counts = new Map<string, number>();
  for (const { state, why } of runs) {
    const words = why ? `${state}: ${why}` : state;
    counts.set(words, (counts.get(words) ?? 0) + 1);
  }
  return [...counts].map(([words, count]) => `${count} × ${words}`).join('; ');
}

const text = (spread: Spread | null): string =>
  spread === null || !Number.isFinite(spread.median)
    ? ''
    : `${figure(spread.median)} × (${figure(spread.min)} – ${figure(spread.max)})`;

export const syntheticTable = (data: SyntheticData): string => textTable(head, rowsOf(data));

export function syntheticMarkdown(data: SyntheticData, guest: 'kvm' | 'tcg' | null): string {
  return [
    '## A program made for it',
    '',
    'Made by `npm run evaluate -- synthetic`. Threads that work in rounds and look at the clock after each; half of them run all the time,',
    'the others wait in a system call or for a lock each round. Functions that all of them call are changed: wait-free; by `--mode stop`;',
    'and by a barrier that is compiled into the program, at which every thread waits for all others. The ways take turns on one process.',
    '',
    ...markdownTable(head, rowsOf(data)),
    '',
    '- Medians over the runs, with the smallest and the largest. All but *transition* and *clone* compare the window in which the change',
    '  is made with the window before it, in the same run.',
    '- *longest standstill*: the longest time in which any one thread did not get on. *typical*: the median over the threads of each one’s',
    '  longest. *throughput*: rounds of all threads.',
    '- *(on another process)*: driftpatch does its work on a process nobody looks at, of the same program with two threads. What it costs',
    '  that something else runs on the same two processors is in the other rows of `driftpatch` as well, and more of it where there are',
    '  more threads; the barrier needs no such work. With 256 threads and more driftpatch has the highest ordinary priority (nice −20) in all',
    '  ways: as one among hundreds that want one of two processors it would take minutes.',
    '- *transition*: from the first thread’s migration (stop; arrival) to the last’s, by the longest standstill that scheduling alone has',
    '  caused in the window before. *a typical thread*: from the first thread’s first round with the changed code to the median thread’s,',
    '  by the same. *clone*: the time to make a view, by that in the first case; where more threads run all the time than there are',
    '  processors, driftpatch waits for its turn in it. One of eight does where memory and mappings are varied.',
    '- *operation after*: processor time for a round of a thread that runs all the time, in the window after the change by the one before:',
    '  what the change costs for good. *memory after*: what is the process’s alone, page tables included, by the same.',
    '- **Where wait-free does not help:** a program of one thread, which has nobody to wait for; and a thread that never leaves the changed',
    '  function, which keeps a wait-free transition pending (the others have the change), and makes `--mode stop` give up. One that is in the',
    '  function nearly all the time has to be seen outside: `--mode stop` gives up on it as well, a wait-free transition waits until it has',
    '  left and then looks some times within milliseconds. A barrier that it comes to by itself has it at once.',
    `- The guest ran under ${guest === 'kvm' ? 'KVM' : 'TCG, an emulator'}: nothing absolute is claimed.`,
    '',
  ].join('\n');
}
