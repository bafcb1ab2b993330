// SPDX-License-Identifier: MIT
/**
 * Passes 6 and 7: watch the threads migrate, then fold.
 *
 * The kernel does the work; this only looks. Looking may stop at any time: the transition goes on without us, and a
 * later call finds the view again. When the view is complete, `fold` makes the process an ordinary one again.
 */
import { type Place, placeOf } from './guards.js';
import type { Process } from './proc/process.js';
import type { PatchRecord } from './record.js';
import type { Why } from './sys/abi.js';
import type { View, ViewState } from './view.js';

export interface PendingThread {
  readonly tid: number;
  readonly name: string;
  readonly why: Why;
  /** The run-time address that holds it, for 'pc' and 'stack'. */
  readonly where: number | null;
  /** The patched function that this address lies in. */
  readonly place: Place | null;
}

export type TransitionEvent =
  | {
      readonly kind: 'thread-migrated';
      readonly tid: number;
      readonly name: string;
      /** When it did, by the kernel's word: microseconds of CLOCK_MONOTONIC; 0 if it was born in the view. */
      readonly when: number;
    }
  | { readonly kind: 'progress'; readonly migrated: number; readonly total: number };

const FIRST_LOOK_MS = 1;
const LONGEST_LOOK_MS = 100;

export interface Watched {
  readonly complete: boolean;
  /** When that was seen, before anybody was told. */
  readonly at: number;
}

/** Watches until the view is complete or `deadline` has passed; both in performance.now() time. */
export async function watch(
  view: View,
  process: Process,
  deadline: number,
  onEvent: (event: TransitionEvent) => void,
): Promise<Watched> {
  const seen = new Set<number>();
  for (let pause = FIRST_LOOK_MS; ; pause = Math.min(pause * 2, LONGEST_LOOK_MS)) {
    const state = view.state();
    const at = performance.now();
    announce(state, process, seen, onEvent);
    const complete = state.complete || state.folded;
    if (complete || at >= deadline) return { complete, at };
    const left = Math.max(deadline - performance.now(), 0);
    await view.wait(Math.ceil(Math.min(pause, left)));
  }
}

function announce(
  state: ViewState,
  process: Process,
  seen: Set<number>,
  onEvent: (event: TransitionEvent) => void,
): void {
  onEvent({ kind: 'progress', migrated: state.migrated, total: state.total });
  const news = state.threads.filter(({ tid, migrated }) => migrated && !seen.has(tid));
  for (const { tid, when } of news.sort((a, b) => a.when - b.when)) {
    seen.add(tid);
    onEvent({ kind: 'thread-migrated', tid, name: process.threadName(tid), when });
  }
}

const FOLD_PAUSE_MS = 5;

/** Folds a complete view; false if a thread keeps it from it until `deadline`. */
export async function foldBefore(view: View, deadline: number): Promise<boolean> {
  for (;;) {
    if (view.fold()) return true;
    if (performance.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, FOLD_PAUSE_MS));
  }
}

/** Who has not migrated yet, and what holds each. */
export function pendingThreads(state: ViewState, process: Process, record: PatchRecord): PendingThread[] {
  return state.threads
    .filter(({ migrated }) => !migrated)
    .map(({ tid, why, where }) => {
      const held = why === 'pc' || why === 'stack';
      return {
        tid,
        name: process.threadName(tid),
        why,
        where: held ? where : null,
        place: held ? placeOf(record.functions, where) : null,
      };
    });
}
