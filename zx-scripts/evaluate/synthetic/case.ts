// SPDX-License-Identifier: MIT
// What the guest is to do with the program of threads.c, and what it tells.

export const ways = ['elsewhere', 'wait-free', 'stop', 'barrier'] as const;
/**
 * How the change comes to the threads. `elsewhere` is for comparison: driftpatch does all its work, on another process; so what
 * it costs that something else runs on the machine is in all of them.
 */
export type WayName = (typeof ways)[number];

export const axes = ['threads', 'memory', 'mappings', 'size', 'hold'] as const;

export interface SyntheticCase {
  readonly name: string;
  /** What the case varies, and its value, for plots. */
  readonly axis: (typeof axes)[number];
  readonly value: number;
  readonly threads: number;
  readonly kinds: string;
  readonly hold: number;
  readonly memory: number;
  readonly mappings: number;
  /** How many functions the patch replaces, beside two that it always does: 0, or a power of ten up to 1000. */
  readonly size: number;
  readonly ways: readonly WayName[];
  readonly repetitions: number;
  /** Of each of the three windows, at least. */
  readonly windowMs: number;
}

/** A program, and the patch for it. */
export interface Build {
  readonly program: string;
  readonly patch: string;
}

export interface SyntheticPlan {
  /** By the patch's size. */
  readonly builds: Readonly<Record<number, Build>>;
  readonly cases: readonly SyntheticCase[];
}

export interface Windows {
  readonly before: number;
  readonly during: number;
  readonly after: number;
}

/** One time that the change was made. Milliseconds. */
export interface SyntheticRun {
  readonly name: string;
  readonly way: WayName;
  /** What became of it. */
  readonly state: 'done' | 'late' | 'refused';
  readonly why: string;
  /** The longest time in which a thread did not get on, of all threads, by window. */
  readonly longest: Windows;
  /** The same for each thread: the median over all threads. */
  readonly typical: Windows;
  /** Rounds of all threads per second. */
  readonly rounds: Windows;
  /** Microseconds of processor time for a round of a thread that runs all the time: what the change adds to an operation. */
  readonly operation: Windows;
  /** KiB that are the process's alone, its page tables included. */
  readonly memory: Windows;
  /** From the first thread's first round with the changed code to the median thread's, and to the last one's; null: nobody ran it. */
  readonly reached: { readonly median: number; readonly last: number } | null;
  /** From the moment at which the first thread may change to the last one's having done so; null: it has not come to that. */
  readonly transition: number | null;
  readonly clone: number | null;
}

export type SyntheticEvent =
  | { readonly kind: 'run'; readonly run: SyntheticRun }
  | { readonly kind: 'begin'; readonly name: string };
