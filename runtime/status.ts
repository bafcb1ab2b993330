// SPDX-License-Identifier: MIT
/**
 * Status: which processes carry which patches, and of a transition who is still to go and what holds each thread.
 *
 * Only looks. Of all processes, those that the caller may not look at are counted, not passed over in silence; of one
 * process that was asked for, the same is an error.
 */
import { Carried, type Patched, type PatchState } from './carried.js';
import { RuntimeError } from './errors.js';
import { type PendingThread, pendingThreads } from './pending.js';
import { type Mapping, mayHoldArena } from './proc/maps.js';
import { Process, printable } from './proc/process.js';
import type { Consistency } from './record.js';
import { hasEnded, processIds } from './targets.js';
import type { ViewState } from './view.js';

export interface CarriedPatch {
  readonly name: string;
  readonly patchHash: string;
  readonly state: PatchState;
  /** Patches that lie over this one, the topmost first: their code runs in the place of its. */
  readonly under: readonly string[];
  readonly target: string;
  readonly buildId: string;
  readonly consistency: Consistency;
  readonly functions: readonly string[];
  /** Of a transition that is under way: how many threads have come to where it leads. */
  readonly threads: { readonly total: number; readonly migrated: number } | null;
  readonly pending: readonly PendingThread[];
}

export interface ProcessStatus {
  readonly pid: number;
  readonly name: string;
  readonly patches: readonly CarriedPatch[];
}

export interface Status {
  readonly processes: readonly ProcessStatus[];
  /** Processes that could not be looked at for want of permission. */
  readonly hidden: number;
}

/** Of process `pid`, or without it of every process that carries a patch. */
export function status(options: { pid?: number } = {}): Status {
  if (options.pid !== undefined) return { processes: [processStatus(options.pid)], hidden: 0 };
  const processes: ProcessStatus[] = [];
  let hidden = 0;
  for (const pid of processIds()) {
    try {
      const found = processStatus(pid);
      if (found.patches.length > 0) processes.push(found);
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      if (error.code === 'NO_PERMISSION') hidden++;
      // What has ended meanwhile, zombies and kernel threads carry nothing.
      else if (!hasEnded(error)) throw error;
    }
  }
  return { processes, hidden };
}

function processStatus(pid: number): ProcessStatus {
  const process = Process.open(pid);
  let carried: Carried | null = null;
  try {
    const maps = process.maps();
    if (!maps.some(mayHoldArena)) return { pid, name: process.name, patches: [] };
    const found = new Carried(process, maps);
    carried = found;
    const state = found.texts.state();
    return { pid, name: process.name, patches: found.patches.map((one) => describe(one, process, maps, found, state)) };
  } finally {
    carried?.close();
    process.close();
  }
}

function describe(
  patched: Patched,
  process: Process,
  maps: readonly Mapping[],
  carried: Carried,
  view: ViewState | null,
): CarriedPatch {
  const { record, state, over } = patched;
  const moving = view && (state === 'pending' || state === 'reverting') ? threadsOf(patched, carried, view) : null;
  return {
    name: record.name,
    patchHash: record.patchHash,
    state,
    under: over.map(({ name }) => name),
    target: printable(record.targetName),
    buildId: record.buildId,
    consistency: record.consistency,
    functions: record.functions.map(({ name }) => printable(name)),
    threads: moving && { total: moving.total, migrated: moving.total - moving.pending.length },
    pending: moving ? pendingThreads(moving.pending, process, maps, carried.newest.records) : [],
  };
}

/** Of this patch's transition: a thread that is on its way to another one runs or does not run this patch all the same. */
function threadsOf({ record, state }: Patched, carried: Carried, view: ViewState) {
  const wanted = state === 'pending';
  const pending = view.threads.filter(
    (thread) => carried.in(carried.texts.textOf(thread)).stands(record.arena) !== wanted,
  );
  return { total: view.total, pending };
}
