// SPDX-License-Identifier: MIT
/** The runtime as a library. It prints nothing and sets no exit status. */

export { type ApplyResult, apply } from './apply.js';
export type { PatchState } from './carried.js';
export { type Check, type Diagnosis, doctor } from './doctor.js';
export { type RuntimeCode, RuntimeError } from './errors.js';
export type { JobEvent, JobOptions, JobResult, JobStep } from './job.js';
export { applyToMany, type ManyOptions, type ManyResult, type OneOfMany, revertInMany } from './many.js';
export type { Place } from './names.js';
export { patchName } from './patch.js';
export type { PendingThread } from './pending.js';
export type { Consistency } from './record.js';
export { type RevertResult, revert } from './revert.js';
export { type CarriedPatch, type ProcessStatus, type Status, status } from './status.js';
export { writePerfMap } from './symbols/perf-map.js';
export { type PatchSymbols, type ProcessSymbols, symbols } from './symbols/symbols.js';
export type { Why } from './sys/abi.js';
export type { Selection, Target } from './targets.js';
export { NO_TIMING, type Timing } from './timing.js';
export { DEFAULT_TIMEOUT, MODES, type Mode, type TransitionEvent } from './ways/way.js';
