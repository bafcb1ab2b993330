// SPDX-License-Identifier: MIT
/** A worker that never ends with case 1 and asks for all memory in case 3: what a campaign must survive. */
import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerInput } from './worker.js';

const { first, end, now } = workerData as WorkerInput;
for (let index = first; index < end; index++) {
  Atomics.store(now, 0, index);
  if (index === 1) for (;;);
  if (index === 3) for (const all: string[][] = []; ; ) all.push(new Array(1 << 16).fill('x'));
  parentPort!.postMessage({ index, outcome: { kind: 'read' }, peak: 0 });
}
