// SPDX-License-Identifier: MIT
// What the guest is to do with the program of threads.c, and what it tells.

export const ways = ['elsewhere', 'wait-free', 'stop', 'barrier'] as const;
/**
 * How the change comes to the threads. `elsewhere` is for comparison: driftpatch does all its work, on another process; so what
 * it costs that something else runs on the machine is in all of them.
 */
export type WayName = (typeof ways)[number];

export interface SyntheticCase {
  readonly name: string;
  /** What the case varies, and its value, for plots. */
  readonly axis: 'threads' | 'memory' | 'mappings' | 'hold';
  readonly value: number;
  readonly threads: number;
  readonly kinds: string;
  readonly hold: number;
  readonly memory: number;
  readonly mappings: number;
  readonly ways: readonly WayName[];
  readonly repetitions: number;
  /** Of each of the three windows. */
  readonly windowMs: number;
}

export interface SyntheticPlan {
  /** The program, and the patch for it. */
  readonly program: string;
  readonly patch: string;
  readonly cases: readonly SyntheticCase[];
}

/** One time that the change was made. Milliseconds. */
export interface SyntheticRun {
  readonly name: string;
  readonly way: WayName;
  /** What became of it. */
  readonly state: 'done' | 'late' | 'refused';
  readonly why: string;
  /** The longest time in which a thread did not get on, of all threads, by window. */
  readonly longest: { readonly before: number; readonly during: number; readonly after: number };
  /** The same for each thread: the median over all threads. */
  readonly typical: { readonly before: number; readonly during: number; readonly after: number };
  /** Rounds of all threads per second. */
  readonly rounds: { readonly before: number; readonly during: number; readonly after: number };
  /** From the moment at which the first thread may change to the last one's having done so; null: it has not come to that. */
  readonly transition: number | null;
  readonly clone: number | null;
}

export type SyntheticEvent =
  | { readonly kind: 'run'; readonly run: SyntheticRun }
  | { readonly kind: 'begin'; readonly name: string };
