// SPDX-License-Identifier: MIT
/**
 * Who has not come to run the new text yet, and what holds each, by name.
 */
import { type Place, placeOf } from './guards.js';
import type { Process } from './proc/process.js';
import type { PatchRecord } from './record.js';
import type { Why } from './sys/abi.js';
import type { ViewThread } from './view.js';

export interface PendingThread {
  readonly tid: number;
  readonly name: string;
  readonly why: Why;
  /** The run-time address that holds it, for 'pc' and 'stack'. */
  readonly where: number | null;
  /** The patched function that this address lies in. */
  readonly place: Place | null;
}

export function pendingThreads(
  threads: readonly ViewThread[],
  process: Process,
  { functions }: PatchRecord,
): PendingThread[] {
  return threads
    .filter(({ migrated }) => !migrated)
    .map(({ tid, why, where }) => {
      const held = why === 'pc' || why === 'stack';
      return {
        tid,
        name: process.threadName(tid),
        why,
        where: held ? where : null,
        place: held ? placeOf(functions, where) : null,
      };
    });
}
