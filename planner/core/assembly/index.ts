// SPDX-License-Identifier: MIT
/** The core's door: what core/load.ts and core/sweep.ts call. One call per batch, none per instruction. */
export { decodeBatch } from './batch';
export { freeMemory } from './memory';
export { findName, numberNames, spreadNames } from './names';
export { disagreement } from './quick';
export { findFields, listTargets, sweepPairs } from './sweep';
