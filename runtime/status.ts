// SPDX-License-Identifier: MIT
/**
 * Status: which processes carry which patches, and of a transition who is still to go and what holds each thread.
 *
 * Only looks. Of all processes, those that the caller may not look at are counted, not passed over in silence; of one
 * process that was asked for, the same is an error.
 */
import { readdirSync } from 'node:fs';
import { RuntimeError } from './errors.js';
import { type PendingThread, pendingThreads } from './pending.js';
import { mayHoldArena } from './proc/maps.js';
import { Process, printable } from './proc/process.js';
import type { Consistency, PatchRecord } from './record.js';
import { findRecords, type PatchState, Texts } from './records.js';

export interface CarriedPatch {
  readonly name: string;
  readonly patchHash: string;
  readonly state: PatchState;
  readonly target: string;
  readonly buildId: string;
  readonly consistency: Consistency;
  readonly functions: readonly string[];
  /** Of a pending patch. */
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
  for (const pid of pids()) {
    try {
      const found = processStatus(pid);
      if (found.patches.length > 0) processes.push(found);
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      if (error.code === 'NO_PERMISSION') hidden++;
      // What has ended meanwhile, zombies and kernel threads carry nothing.
      else if (!CARRIES_NOTHING.has(error.code)) throw error;
    }
  }
  return { processes, hidden };
}

const CARRIES_NOTHING: ReadonlySet<string> = new Set(['PROCESS_GONE', 'PROCESS_ZOMBIE', 'KERNEL_THREAD']);

const pids = () =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

function processStatus(pid: number): ProcessStatus {
  const process = Process.open(pid);
  let texts: Texts | null = null;
  try {
    const maps = process.maps();
    const records = maps.some(mayHoldArena) ? findRecords(process, maps) : [];
    if (records.length === 0) return { pid, name: process.name, patches: [] };
    const seen = new Texts(process);
    texts = seen;
    return { pid, name: process.name, patches: records.map((record) => carried(record, process, seen)) };
  } finally {
    texts?.close();
    process.close();
  }
}

function carried(record: PatchRecord, process: Process, texts: Texts): CarriedPatch {
  const state = texts.stateOf(record);
  const transition = state === 'pending' ? texts.running?.state() : undefined;
  return {
    name: record.name,
    patchHash: record.patchHash,
    state,
    target: printable(record.targetName),
    buildId: record.buildId,
    consistency: record.consistency,
    functions: record.functions.map(({ name }) => printable(name)),
    threads: transition ? { total: transition.total, migrated: transition.migrated } : null,
    pending: transition ? pendingThreads(transition.threads, process, record) : [],
  };
}
