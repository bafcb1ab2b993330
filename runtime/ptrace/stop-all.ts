// SPDX-License-Identifier: MIT
/**
 * All threads of a process stopped at one time.
 *
 * Every thread is asked to stop before any is waited for, so that the last one to stop was asked as early as the first. Threads that
 * are born meanwhile are found by looking again, until nobody is left who could bear one.
 *
 * Invariant: whoever does not stop soon (it waits for a vfork's child, or for a disk) does not keep the others stopped.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { RuntimeError } from '../errors.js';
import { asked, unlessGone } from '../proc/process.js';
import { SysError } from '../sys/calls.js';
import { pause } from './pause.js';
import { Tracee } from './tracee.js';

export interface Stopped {
  readonly tracees: readonly Tracee[];
  /** Those who have not stopped in time. */
  readonly late: readonly Tracee[];
}

const LONGEST_WAIT_MS = 1000;
/** For one that cannot stop before something else has happened. */
const UNINTERRUPTIBLE_MS = 20;

/** Call `letGo` on what it gives, whatever happens. If it throws, nobody is left stopped. */
export function stopAll(pid: number): Stopped {
  const tracees = new Map<number, Tracee | null>();
  try {
    for (let late: readonly Tracee[] = []; ; ) {
      const before = tracees.size;
      while (seizeNew(pid, tracees) > 0);
      if (tracees.size === before) return { tracees: present(tracees), late };
      late = waitForAll(pid, present(tracees));
      if (late.length > 0) return { tracees: present(tracees), late };
    }
  } catch (error) {
    letGo(present(tracees));
    throw error;
  }
}

export function letGo(tracees: readonly Tracee[]): void {
  for (const tracee of tracees) tracee.letGo();
}

/** One thread, asked to stop and waited for; null if it does not, or has ended. If it throws, the thread is not left stopped. */
export function stopOne(pid: number, tid: number): Tracee | null {
  const tracee = seize(pid, tid);
  if (!tracee) return null;
  let stopped = false;
  try {
    stopped = waitForAll(pid, [tracee]).length === 0 && !tracee.gone;
  } finally {
    if (!stopped) tracee.letGo();
  }
  return stopped ? tracee : null;
}

function seizeNew(pid: number, tracees: Map<number, Tracee | null>): number {
  const fresh = threadsOf(pid).filter((tid) => !tracees.has(tid));
  for (const tid of fresh) tracees.set(tid, seize(pid, tid));
  return fresh.length;
}

function seize(pid: number, tid: number): Tracee | null {
  try {
    return Tracee.seize(tid);
  } catch (error) {
    if (!(error instanceof SysError) || error.errno !== 'EPERM') throw error;
    const [state, tracer] = [statusLine(pid, tid, 'State'), statusLine(pid, tid, 'TracerPid')];
    if (state === '' || /^[ZX]/.test(state)) return null;
    if (/^[1-9]/.test(tracer)) throw new RuntimeError('TRACED', { pid, tracer }, { cause: error });
    throw new RuntimeError('NO_PERMISSION', { pid, what: error.message }, { cause: error });
  }
}

/** Those that have not stopped in time. */
function waitForAll(pid: number, tracees: readonly Tracee[]): readonly Tracee[] {
  const begun = performance.now();
  for (let left = tracees; ; pause()) {
    left = left.filter((tracee) => !tracee.hasStopped());
    const waited = performance.now() - begun;
    if (left.length === 0 || waited > LONGEST_WAIT_MS) return left;
    if (waited > UNINTERRUPTIBLE_MS && left.some(({ tid }) => statusLine(pid, tid, 'State').startsWith('D')))
      return left;
  }
}

const present = (tracees: ReadonlyMap<number, Tracee | null>): Tracee[] =>
  [...tracees.values()].filter((tracee) => tracee !== null && !tracee.gone) as Tracee[];

const threadsOf = (pid: number): number[] => asked(pid, () => readdirSync(`/proc/${pid}/task`)).map(Number);

/** A line of the thread's status, '' once it has ended. */
export function statusLine(pid: number, tid: number, field: string): string {
  const text = unlessGone(pid, () => readFileSync(`/proc/${pid}/task/${tid}/status`, 'utf8')) ?? '';
  return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
}
