// SPDX-License-Identifier: MIT
/**
 * The choice of a way.
 */
import type { RunAddress } from '../../planner/index.js';
import { RuntimeError } from '../errors.js';
import type { Process } from '../proc/process.js';
import { StopAll } from './stop.js';
import { WaitFree } from './wait-free.js';
import type { Mode, Way } from './way.js';

/** A change to `process`'s text that has not begun to be made. `words`: where its safe points are (safe-points.ts). */
export function openWay(mode: Mode, process: Process, words: readonly RunAddress[]): Way {
  if (mode === 'wait-free') return WaitFree.open(process, words);
  if (words.length > 0) throw new RuntimeError('SAFE_POINTS', { pid: process.pid });
  return StopAll.open(process);
}
