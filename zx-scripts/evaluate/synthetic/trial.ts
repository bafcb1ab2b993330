// SPDX-License-Identifier: MIT
// One case in the guest. The ways take turns on one process, so that all of them meet the same threads; after each the change is
// taken back, outside of what is measured. The three windows of a run are equally long, unless the change itself takes longer, or a
// thread that runs all the time has not come to a round: it could not say what one costs it there.

import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { apply, patchName, RuntimeError, revert } from '../../../runtime/index.js';
import { now, WindowLengths } from '../../load/windows.js';
import type { SyntheticCase, SyntheticRun, WayName } from './case.js';
import { type Account, type PhaseSum, ThreadsProgram } from './program.js';

const phases = { idle: 0, before: 1, during: 2, after: 3 } as const;
const patchSeconds = 30;
const settleMs = 5000;
/**
 * With so many threads driftpatch, one among all that want a processor, would take minutes for what it does in any of the ways; and
 * so would the programs' main threads, which only report.
 */
const crowd = 256;
/** What a thread that never leaves the patched function is waited for. */
const holdSeconds = 5;

export async function runCase(
  program: string,
  patch: Buffer,
  job: SyntheticCase,
  onRun: (run: SyntheticRun) => void,
): Promise<void> {
  const target = await ThreadsProgram.start(program, job);
  try {
    const twin = await ThreadsProgram.start(program, { ...job, ...twinKnobs });
    try {
      if (job.threads >= crowd) prioritize(constants.priority.PRIORITY_HIGHEST, target, twin);
      await runTurns({ job, patch, target, twin }, onRun);
    } finally {
      // the next case's programs have the priority of who starts them
      prioritize(constants.priority.PRIORITY_NORMAL);
      await twin.stop();
    }
  } finally {
    await target.stop();
  }
}

/** The programs' main threads, and all of this process's: it waits for those that collect garbage. */
function prioritize(priority: number, ...programs: readonly ThreadsProgram[]): void {
  const own = readdirSync('/proc/self/task').map(Number);
  for (const id of [...programs.map(({ pid }) => pid), ...own]) setPriority(id, priority);
}

const twinKnobs = { threads: 2, kinds: 'sleep', hold: 0, memory: 0, mappings: 0 } as const;

/** Each way in each turn, another one first each time. */
async function runTurns(stage: Stage, onRun: (run: SyntheticRun) => void): Promise<void> {
  const { job } = stage;
  await sleep(job.windowMs);
  const lengths = new WindowLengths(job.windowMs);
  for (let repetition = 0; repetition < job.repetitions; repetition++)
    for (let turn = 0; turn < job.ways.length; turn++) {
      const way = job.ways[(turn + repetition) % job.ways.length]!;
      const { run } = await lengths.fitting(way, (ms) => runWay(way, stage, ms));
      onRun(run);
    }
}

interface Stage {
  readonly job: SyntheticCase;
  readonly patch: Buffer;
  readonly target: ThreadsProgram;
  readonly twin: ThreadsProgram;
}

interface Measured {
  readonly run: SyntheticRun;
  readonly tookMs: number;
}

async function runWay(way: WayName, stage: Stage, windowMs: number): Promise<Measured> {
  const { job, target } = stage;
  const seconds: number[] = [];
  const memory: number[] = [];
  const window = async (phase: number, action: () => Promise<void>) => {
    await target.phase(phase);
    const from = now();
    await action();
    await sleep(Math.max(0, windowMs - (now() - from)));
    await allThrough(target, phase);
    seconds.push((now() - from) / 1000);
    memory.push(target.memory());
  };
  let made: Made = { state: 'done', why: '', transition: null, clone: null };
  let tookMs = 0;
  await window(phases.before, async () => {});
  await window(phases.during, async () => {
    const from = now();
    made = await make(way, stage);
    tookMs = now() - from;
  });
  await window(phases.after, async () => {});
  await target.phase(phases.idle);
  const { phases: sums, changed } = await settled(target);
  // what is late is pending in those who have it already
  if (made.state !== 'refused') await unmake(way, stage);
  const of = (value: (sum: PhaseSum, at: number) => number) => ({
    before: value(sums[phases.before]!, 0),
    during: value(sums[phases.during]!, 1),
    after: value(sums[phases.after]!, 2),
  });
  const run: SyntheticRun = {
    name: job.name,
    way,
    ...made,
    longest: of(({ longest }) => longest / 1e6),
    typical: of(({ typical }) => typical / 1e6),
    rounds: of(({ rounds }, at) => rounds / seconds[at]!),
    operation: of(({ operation }) => operation / 1e3),
    memory: of((_, at) => memory[at]!),
    reached: changed.length > 0 ? { median: since(changed, 0.5), last: since(changed, 1) } : null,
  };
  return { run, tookMs };
}

/** Once each thread that runs all the time has had a round in this phase. */
async function allThrough(target: ThreadsProgram, phase: number): Promise<void> {
  for (const until = now() + settleMs; now() < until; await sleep(50))
    if ((await target.account()).phases[phase]!.fewest > 0) return;
}

/** Once a thread that runs all the time has seen that the last window is over, and said what it took. */
async function settled(target: ThreadsProgram): Promise<Account> {
  for (const until = now() + settleMs; ; ) {
    await sleep(50);
    const account = await target.account();
    if (Number.isFinite(account.phases[phases.after]!.operation) || now() > until) return account;
  }
}

/** Milliseconds from the first to the one at this share of them. */
const since = (sorted: readonly number[], share: number): number =>
  (sorted[Math.ceil(share * sorted.length) - 1]! - sorted[0]!) / 1e6;

type Made = Pick<SyntheticRun, 'state' | 'why' | 'transition' | 'clone'>;

async function make(way: WayName, { job, patch, target, twin }: Stage): Promise<Made> {
  if (way === 'barrier') {
    const { gone } = await target.barrier();
    return { state: 'done', why: '', transition: gone / 1000, clone: null };
  }
  const { pid } = way === 'elsewhere' ? twin : target;
  const timeout = job.axis === 'hold' ? holdSeconds : patchSeconds;
  try {
    const result = await apply(patch, { pid, timeout, mode: way === 'stop' ? 'stop' : 'wait-free' });
    const { state, pending, timing } = result;
    if (state !== 'applied') {
      const why = pending.map(({ why, place }) => `${why} ${place?.function ?? ''}`.trim()).join(', ');
      return { state: 'late', why, transition: null, clone: timing.cloneUs / 1000 };
    }
    return { state: 'done', why: '', transition: timing.transitionUs / 1000, clone: timing.cloneUs / 1000 };
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    return { state: 'refused', why: error.code, transition: null, clone: null };
  }
}

async function unmake(way: WayName, { patch, target, twin }: Stage): Promise<void> {
  if (way === 'barrier') return void (await target.barrier());
  const { pid } = way === 'elsewhere' ? twin : target;
  const { state } = await revert(patchName(patch), { pid, timeout: patchSeconds });
  if (state !== 'reverted') throw new Error(`expected the patch to be reverted in process ${pid}, found ${state}`);
}
