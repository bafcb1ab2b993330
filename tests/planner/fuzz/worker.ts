// SPDX-License-Identifier: MIT
/** Tries cases one after the other; says before each which it is, so that one that never ends is known. */
import { parentPort, workerData } from 'node:worker_threads';
import { makeCase, type Outcome, tryCase } from './cases.js';
import type { Subject } from './subjects.js';

export interface WorkerInput {
  readonly subjects: readonly Subject[];
  readonly seed: number;
  readonly first: number;
  readonly end: number;
  /** [0]: the case that is being tried. */
  readonly now: Int32Array;
}

export interface WorkerReport {
  readonly index: number;
  readonly outcome: Outcome;
  /** MiB that the process has had at most so far. */
  readonly peak: number;
}

const { subjects, seed, first, end, now } = workerData as WorkerInput;
for (let index = first; index < end; index++) {
  Atomics.store(now, 0, index);
  const outcome = tryCase(makeCase(subjects, seed, index));
  const report: WorkerReport = { index, outcome, peak: process.resourceUsage().maxRSS / 1024 };
  parentPort!.postMessage(report);
}
