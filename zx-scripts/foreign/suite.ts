// SPDX-License-Identifier: MIT
// What a foreign suite is: programs that nobody here wrote, and how each is run. Every test is tried twice on the same
// kernel, with `every` off and on (each process that execs gets a view and runs in it), and its two outcomes must be equal.

import type { ShownProgress } from '../show-progress.js';

export interface ForeignTest {
  readonly name: string;
  /** For a shell, in a writable folder that begins with the suite's programs in it. */
  readonly command: string;
  /** Given up after this long; the outcome is then "late". */
  readonly seconds: number;
  /** What comes of it without views; if something else does, it says nothing about views, and that is an error. */
  readonly expect?: string;
  /** Among those that `--quick` runs: short, and the same each time. */
  readonly quick?: true;
}

/** A test as it is tried once: without views, or with one for every process. */
export interface Attempt extends ForeignTest {
  readonly every: boolean;
}

export interface ForeignSuite {
  readonly about: string;
  readonly tests: readonly ForeignTest[];
  /** Builds or installs what the tests need. Gives a folder whose files the guest gets, or null if the system has it all. */
  readonly prepare: (shown: ShownProgress) => Promise<string | null>;
}

/** What the guest tells of one test. */
export interface ForeignResult {
  readonly name: string;
  /** In words that are the same for equal runs: `status 0, 21 ok`, `signal SIGSEGV`, `late`. */
  readonly outcome: string;
  readonly seconds: number;
  /** The end of what it printed. */
  readonly tail: string;
}

export interface Tried extends ForeignResult {
  readonly every: boolean;
}
