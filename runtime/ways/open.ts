// SPDX-License-Identifier: MIT
/**
 * The choice of a way.
 */
import type { Process } from '../proc/process.js';
import { WaitFree } from './wait-free.js';
import type { Mode, Way } from './way.js';

export const MODES: readonly Mode[] = ['wait-free'];

/** A change to `process`'s text that has not begun to be made. */
export function openWay(mode: Mode, process: Process): Way {
  if (mode === 'wait-free') return WaitFree.open(process);
  throw new Error(`there is no way called ${mode}`);
}
