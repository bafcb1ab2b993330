// SPDX-License-Identifier: MIT
/**
 * Who has not come to run the new text yet, and what holds each, as a person would want to know it.
 */
import { Names, type Place } from './names.js';
import type { Mapping } from './proc/maps.js';
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
  /** The function that this address lies in. */
  readonly place: Place | null;
  /** Who has called it, as far as the stack tells. */
  readonly caller: Place | null;
}

/** Of `threads`, those that have not migrated. `records` are all that the process has. */
export function pendingThreads(
  threads: readonly ViewThread[],
  process: Process,
  maps: readonly Mapping[],
  records: readonly PatchRecord[],
): PendingThread[] {
  const names = new Names(process, maps, records);
  return threads.filter(({ migrated }) => !migrated).map((thread) => describe(thread, process, names));
}

function describe({ tid, why, where, slot }: ViewThread, process: Process, names: Names): PendingThread {
  const name = process.threadName(tid);
  if (why !== 'pc' && why !== 'stack') return { tid, name, why, where: null, place: null, caller: null };
  const place = names.at(where);
  const above = why === 'stack' ? slot + 8 : process.stackPointer(tid);
  const caller = place && above !== null ? names.callerOf(place, above) : null;
  return { tid, name, why, where, place, caller };
}
