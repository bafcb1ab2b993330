// SPDX-License-Identifier: MIT
/**
 * Which patches a process carries, derived from the process alone.
 *
 *     record and detours in the base                         applied
 *     record, and a view that has the detours                pending: a transition is under way, or not yet folded
 *     record, but the detours are nowhere                    leftover: an arena without effect
 *
 * Threads in a view see its text, and so does who looks at them (/proc/PID/mem): while there is a transition, the base is
 * looked at through a view of its own that nobody enters.
 *
 * Invariant: nothing is remembered anywhere else, so what is said here is what threads run.
 */
import { type RunAddress, runAddress } from '../planner/index.js';
import { RuntimeError } from './errors.js';
import { type Mapping, mayHoldArena } from './proc/maps.js';
import type { Process } from './proc/process.js';
import {
  DETOUR_SIZE,
  decodeRecord,
  type PatchRecord,
  RECORD_HEAD,
  type RecordedFunction,
  recordSize,
} from './record.js';
import { View } from './view.js';

export type PatchState = 'applied' | 'pending' | 'leftover';

/** The records in the process's arenas, in address order. */
export function findRecords(process: Process, maps: readonly Mapping[]): PatchRecord[] {
  const records: PatchRecord[] = [];
  for (const mapping of maps) {
    if (!mayHoldArena(mapping)) continue;
    // Neighbouring arenas may show as one mapping: behind one arena's code part the next may begin.
    for (let at: number = mapping.start; at < mapping.end; ) {
      const record = readRecord(process, at, mapping.end);
      if (!record) break;
      records.push(record);
      at += record.codeSize;
    }
  }
  return records;
}

function readRecord(process: Process, at: number, end: number): PatchRecord | null {
  const head = process.read(at, RECORD_HEAD);
  const size = head && recordSize(head);
  if (!size || at + size > end) return null;
  const bytes = process.read(at, size);
  return bytes && decodeRecord(bytes, runAddress(at));
}

/** The text of a process: its base's, and that of the view which threads are in or on their way to. */
export class Texts {
  private readonly process: Process;
  /** The view of a transition that is under way or not yet folded. */
  readonly running: View | null;
  private readonly window: View | null;

  constructor(process: Process) {
    this.process = process;
    this.running = View.attach(process.pidfd, process.pid);
    try {
      this.window = this.running && View.clone(process.pidfd, process.pid);
    } catch (error) {
      this.running?.close();
      throw error;
    }
  }

  stateOf(record: PatchRecord): PatchState {
    const { process, running, window } = this;
    const base = (address: RunAddress) => (window ? readView(window, address) : process.read(address, DETOUR_SIZE));
    if (hasDetours(record, base)) return 'applied';
    if (running && hasDetours(record, (address) => readView(running, address))) return 'pending';
    return 'leftover';
  }

  close(): void {
    this.running?.close();
    this.window?.close();
  }
}

function hasDetours({ functions }: PatchRecord, read: (address: RunAddress) => Buffer | null): boolean {
  const stands = ({ detour, detourBytes }: RecordedFunction) => {
    const found = read(detour);
    return found !== null && Buffer.compare(found, detourBytes) === 0;
  };
  return functions.length > 0 && functions.every(stands);
}

/** A record may name any address; one that the view does not have is no detour. */
function readView(view: View, address: RunAddress): Buffer | null {
  try {
    return view.read(address, DETOUR_SIZE);
  } catch (error) {
    if (error instanceof RuntimeError && error.code === 'KERNEL_REFUSED') return null;
    throw error;
  }
}
