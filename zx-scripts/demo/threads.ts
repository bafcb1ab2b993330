// SPDX-License-Identifier: MIT
// A process's threads, as /proc shows them: who they are, and whether one is stopped or traced at the moment of a look.

import { readdirSync, readFileSync } from 'node:fs';

export interface Thread {
  readonly tid: number;
  readonly name: string;
}

export interface Looks {
  readonly looks: number;
  /** Threads that were found stopped or traced, over all looks. */
  readonly stopped: number;
  /** Threads that had a tracer, over all looks. */
  readonly traced: number;
}

export function threadsOf(pid: number): Thread[] {
  return taskIds(pid).map((tid) => ({ tid, name: readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trim() }));
}

export function lookAt(pid: number): { look(): void; seen(): Looks } {
  let [looks, stopped, traced] = [0, 0, 0];
  return {
    look() {
      looks++;
      for (const tid of taskIds(pid)) {
        const status = statusOf(pid, tid);
        if (status === null) continue;
        if (isStopped(status)) stopped++;
        if (hasTracer(status)) traced++;
      }
    },
    seen: () => ({ looks, stopped, traced }),
  };
}

export const isStopped = (status: string): boolean => /^State:\s+[Tt]\b/m.test(status);
export const hasTracer = (status: string): boolean => /^TracerPid:\s+[1-9]/m.test(status);

const taskIds = (pid: number): number[] => readdirSync(`/proc/${pid}/task`).map(Number);

/** Null for a thread that has ended meanwhile. */
function statusOf(pid: number, tid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/task/${tid}/status`, 'utf8');
  } catch {
    return null;
  }
}
