// SPDX-License-Identifier: MIT
/**
 * Watching the threads of a process migrate into a view, and folding it.
 */
import type { Deadline } from '../deadline.js';
import type { Process } from '../proc/process.js';
import type { View, ViewState } from '../view.js';
import type { TransitionEvent } from './way.js';

const FIRST_LOOK_MS = 1;
const LONGEST_LOOK_MS = 100;

export interface Watched {
  /** 'superseded': a newer view's transition has begun, and this one never ends. */
  readonly end: 'complete' | 'superseded' | 'deadline';
  /** When that was seen, before anybody was told; in performance.now() time. */
  readonly at: number;
}

/** Watches until the view is complete or overtaken, or `deadline` is over. */
export async function watch(
  view: View,
  process: Process,
  deadline: Deadline,
  onEvent: (event: TransitionEvent) => void,
): Promise<Watched> {
  const seen = new Set<number>();
  for (let pause = FIRST_LOOK_MS; ; pause = Math.min(pause * 2, LONGEST_LOOK_MS)) {
    const state = view.state();
    const at = performance.now();
    announce(state, process, seen, onEvent);
    if (state.complete || state.folded) return { end: 'complete', at };
    if (state.superseded) return { end: 'superseded', at };
    if (deadline.left === 0) return { end: 'deadline', at };
    await view.wait(Math.ceil(Math.min(pause, deadline.left)));
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

/** Folds a complete view; unless a thread keeps it from it until `deadline`, or a newer transition has begun. */
export async function foldBefore(view: View, deadline: Deadline): Promise<'folded' | 'superseded' | 'deadline'> {
  for (;;) {
    if (view.fold()) return 'folded';
    if (view.state().superseded) return 'superseded';
    if (deadline.left === 0) return 'deadline';
    await new Promise((resolve) => setTimeout(resolve, FOLD_PAUSE_MS));
  }
}
