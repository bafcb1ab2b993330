// SPDX-License-Identifier: MIT
/**
 * A way: how the text of a live process is changed. What is to be changed is said the same to all of them; they differ
 * in how the threads come to run it.
 *
 *     open -> map, write, guard, in any order -> transition -> close
 *
 * Invariants that every way keeps: nothing is seen by the target's threads before `transition`; what ends before it,
 * `driftpatch` itself included, leaves nothing behind; no thread runs the change while its pc or its stack is in a guard
 * that counts; a thread runs the text of before or of after, and never a mixture.
 */
import type { RunAddress } from '../../planner/index.js';
import type { Deadline } from '../deadline.js';
import type { GuardRange } from '../guards.js';
import type { Consistency } from '../record.js';
import type { Stopwatch } from '../timing.js';
import type { ViewThread } from '../view.js';

export const MODES = ['wait-free', 'stop'] as const;
export type Mode = (typeof MODES)[number];

/** Seconds. */
export const DEFAULT_TIMEOUT = 60;

/** What the arena has to be near to: within 2 GiB of each byte. */
export interface Near {
  readonly name: string;
  readonly start: RunAddress;
  readonly end: RunAddress;
}

export interface Way {
  /** Memory for new code (r-x) and, right behind it, for new data (rw-). Whole pages; at most one arena. */
  map(near: Near, codeSize: number, dataSize: number): RunAddress;
  /** Into the arena, or over text. */
  write(address: RunAddress, bytes: Uint8Array): void;
  /** The ranges that no thread may be in when the change comes to it. Replaces those set before. */
  guard(ranges: readonly GuardRange[]): void;
  /** Brings the change to every thread, or to as many as can be reached in time. */
  transition(terms: Terms): Promise<Outcome>;
  close(): void;
}

export interface Terms {
  readonly consistency: Consistency;
  readonly deadline: Deadline;
  /** Its `transitionUs` and `foldUs` are the way's to fill. */
  readonly clock: Stopwatch;
  readonly emit: (event: TransitionEvent) => void;
  /** From here on whoever looks at the process sees that the change is under way: another may be begun. */
  readonly begun: () => void;
}

export interface Outcome {
  /** The change is the process's ordinary text, and every thread runs it. */
  readonly done: boolean;
  /** Not done yet, but it goes on by itself. Neither: all is as before. */
  readonly underWay: boolean;
  readonly total: number;
  readonly migrated: number;
  /** Each thread; of one that has not migrated, what keeps it. */
  readonly threads: readonly ViewThread[];
}

export type TransitionEvent =
  | {
      readonly kind: 'thread-migrated';
      readonly tid: number;
      readonly name: string;
      /** When it did: microseconds of CLOCK_MONOTONIC; 0 if it was born in the new text. */
      readonly when: number;
    }
  | { readonly kind: 'progress'; readonly migrated: number; readonly total: number };
