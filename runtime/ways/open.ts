// SPDX-License-Identifier: MIT
/**
 * The choice of a way.
 */
import type { Process } from '../proc/process.js';
import { StopAll } from './stop.js';
import { WaitFree } from './wait-free.js';
import type { Mode, Way } from './way.js';

export const MODES: readonly Mode[] = ['wait-free', 'stop'];

/** A change to `process`'s text that has not begun to be made. */
export function openWay(mode: Mode, process: Process): Way {
  return mode === 'stop' ? StopAll.open(process) : WaitFree.open(process);
}
