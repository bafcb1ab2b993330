// SPDX-License-Identifier: MIT
/**
 * What applying and reverting have in common: the process that is opened and locked, the steps that are told, the
 * transition at the end.
 *
 * The lock lasts from before the process's state is read until whoever looks next sees that the change is under way. It is
 * on the process's memory file, so it dies with its holder, and only who may change the process can hold it.
 */
import { Carried, type PatchState } from './carried.js';
import { Deadline } from './deadline.js';
import { counted, RuntimeError } from './errors.js';
import { type PendingThread, pendingThreads } from './pending.js';
import { Process } from './proc/process.js';
import type { Consistency, PatchRecord } from './record.js';
import { findRecords } from './records.js';
import { threadLine } from './thread-line.js';
import { Stopwatch, type Timing } from './timing.js';
import type { ViewThread } from './view.js';
import { DEFAULT_TIMEOUT, type Mode, type TransitionEvent, type Way } from './ways/way.js';

export type JobEvent = TransitionEvent | { readonly kind: 'step'; readonly step: JobStep; readonly message: string };
export type JobStep = 'identify' | 'clone' | 'link' | 'write' | 'migrate' | 'fold' | 'done';

export interface JobOptions {
  readonly pid: number;
  /** Seconds to wait for the threads; 0: start the transition and do not wait. */
  readonly timeout?: number;
  readonly consistency?: Consistency;
  readonly mode?: Mode;
  readonly onEvent?: (event: JobEvent) => void;
  /** Aborted, it ends the waiting as the time-out does; before the threads are asked to change, nothing is done. */
  readonly signal?: AbortSignal;
}

export interface JobResult {
  readonly pid: number;
  readonly patch: string;
  /** It was so before: nothing was done. */
  readonly already: boolean;
  readonly threads: { readonly total: number; readonly migrated: number };
  /** For 'pending': who is still to go. */
  readonly pending: readonly PendingThread[];
  readonly timing: Timing;
}

export interface Job {
  readonly process: Process;
  readonly consistency: Consistency;
  readonly mode: Mode;
  readonly deadline: Deadline;
  readonly clock: Stopwatch;
  readonly emit: (event: JobEvent) => void;
  readonly step: (step: JobStep, message: string) => void;
  /** Throws once nobody wants it any more. */
  readonly checkWanted: () => void;
}

/** Runs `action` with process `pid` opened and locked. */
export async function onProcess<T>(options: JobOptions, action: (job: Job) => Promise<T>): Promise<T> {
  const { pid, timeout = DEFAULT_TIMEOUT, signal } = options;
  const process = Process.open(pid);
  const emit = options.onEvent ?? (() => {});
  const checkWanted = () => {
    if (signal?.aborted) throw new RuntimeError('INTERRUPTED', { pid });
  };
  try {
    await locked(process, timeout, checkWanted);
    return await action({
      process,
      consistency: options.consistency ?? 'strict',
      mode: options.mode ?? 'wait-free',
      deadline: new Deadline(timeout, signal),
      clock: new Stopwatch(),
      emit,
      step: (step, message) => emit({ kind: 'step', step, message }),
      checkWanted,
    });
  } finally {
    process.close();
  }
}

/** At least; who waits for threads for longer waits for the lock as long. */
const LOCK_SECONDS = 10;
const LOCK_PAUSE_MS = 20;

/** Others are done with it in milliseconds, but for one that stops the process's threads. */
async function locked(process: Process, timeout: number, checkWanted: () => void): Promise<void> {
  const deadline = new Deadline(Math.max(timeout, LOCK_SECONDS));
  for (checkWanted(); !process.lock(); checkWanted()) {
    if (deadline.left === 0) throw new RuntimeError('BUSY', { pid: process.pid });
    await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE_MS));
  }
}

/** What is said of a way when it has been opened, and of the threads before they are asked. */
export const OPENED: Readonly<Record<Mode, string>> = {
  'wait-free': 'made a view of the live process',
  stop: 'ready to stop the live process',
};
const MOVING: Readonly<Record<Mode, string>> = {
  'wait-free': 'to migrate, each when it is safe',
  stop: 'to stop at one moment, when it is safe for all',
};

/** Brings what `way` holds to all threads; `goal` is what the patch of `record` shall be then. */
export async function transition<G extends 'applied' | 'reverted'>(
  job: Job,
  way: Way,
  record: PatchRecord,
  goal: G,
): Promise<JobResult & { state: G | 'pending' }> {
  const { process, consistency, deadline, clock, emit } = job;
  job.step('migrate', `${counted(process.tids().length, 'thread')} ${MOVING[job.mode]}`);
  // a signal that has come meanwhile is heard only between two turns of the event loop
  await new Promise(setImmediate);
  job.checkWanted();
  const begun = () => process.unlock();
  const { done, underWay, total, migrated, threads } = await way.transition({
    consistency,
    deadline,
    clock,
    emit,
    begun,
  });
  const result = { ...outcome(job, record.name), already: false, threads: { total, migrated } };
  if (!done) {
    const pending = held(process, threads, record);
    if (underWay) return { ...result, state: 'pending', pending };
    throw new RuntimeError('HELD', { pid: process.pid, threads: pending.map(threadLine).join('; ') });
  }
  const wanted: PatchState = goal === 'applied' ? 'applied' : 'inactive';
  const state = stateOf(process, record);
  if (state !== wanted) throw new RuntimeError('OVERTAKEN', { pid: process.pid, patch: record.name, state });
  job.step('fold', `every thread runs the ${goal === 'applied' ? 'new code' : 'code of before'}, and the base has it`);
  return { ...result, state: goal, pending: [] };
}

/** The patch itself names its functions, also where what the process has of it is not to be seen through its main thread. */
function held(process: Process, threads: readonly ViewThread[], record: PatchRecord): PendingThread[] {
  const maps = process.maps();
  const others = findRecords(process.read.bind(process), maps).filter(({ arena }) => arena !== record.arena);
  return pendingThreads(threads, process, maps, [record, ...others]);
}

function stateOf(process: Process, { arena }: PatchRecord): PatchState {
  const carried = new Carried(process, process.maps());
  try {
    return carried.patches.find(({ record }) => record.arena === arena)?.state ?? 'inactive';
  } finally {
    carried.close();
  }
}

/** Nothing is to be done but, if the last one to look has ended before that, the fold. */
export function already(job: Job, carried: Carried, patch: string, message: string): JobResult {
  const { running } = carried.texts;
  if (running?.state().complete) running.fold();
  const total = job.process.tids().length;
  job.step('done', message);
  return { ...outcome(job, patch), already: true, threads: { total, migrated: total }, pending: [] };
}

/** A stopped process can change its base; what threads run in views it cannot. */
export function checkForeign({ mode, process }: Job, { texts, newest }: Carried): void {
  if (!texts.running) return;
  const patch = newest.records.length === 0 ? 'not one of driftpatch' : 'a wait-free one';
  if (mode !== 'stop' && newest.records.length > 0) return;
  throw new RuntimeError('OTHER_TRANSITION', { pid: process.pid, patch });
}

const outcome = ({ process, clock }: Job, patch: string) => ({
  pid: process.pid,
  patch,
  timing: clock.timing(),
});

export async function closing<C extends { close(): void }, T>(one: C, action: (one: C) => Promise<T> | T): Promise<T> {
  try {
    return await action(one);
  } finally {
    one.close();
  }
}
