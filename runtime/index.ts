// SPDX-License-Identifier: MIT
/** The runtime as a library. It prints nothing and sets no exit status. */

export {
  type ApplyEvent,
  type ApplyOptions,
  type ApplyResult,
  type ApplyStep,
  apply,
  DEFAULT_TIMEOUT,
} from './apply.js';
export { type RuntimeCode, RuntimeError } from './errors.js';
export type { Place } from './guards.js';
export { patchName } from './patch.js';
export type { PendingThread } from './pending.js';
export type { Consistency } from './record.js';
export type { PatchState } from './records.js';
export { type CarriedPatch, type ProcessStatus, type Status, status } from './status.js';
export { writePerfMap } from './symbols/perf-map.js';
export { type PatchSymbols, type ProcessSymbols, symbols } from './symbols/symbols.js';
export type { Why } from './sys/abi.js';
export { NO_TIMING, type Timing } from './timing.js';
export { MODES } from './ways/open.js';
export type { Mode, TransitionEvent } from './ways/way.js';
