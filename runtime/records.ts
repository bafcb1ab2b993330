// SPDX-License-Identifier: MIT
/**
 * Which patches a process carries, derived from the process alone.
 *
 *     record and detours in the base                         applied
 *     record, and a view that has the detours                pending: a transition is under way, or not yet folded
 *     record, but the detours are nowhere                    leftover: an arena without effect
 *
 * Invariant: nothing is remembered anywhere else, so what is said here is what threads run.
 */
import { type RunAddress, runAddress } from '../planner/index.js';
import { RuntimeError } from './errors.js';
import { ARENA_NAME, type Mapping } from './proc/maps.js';
import type { Process } from './proc/process.js';
import {
  DETOUR_SIZE,
  decodeRecord,
  type PatchRecord,
  RECORD_HEAD,
  type RecordedFunction,
  recordSize,
} from './record.js';
import type { View } from './view.js';

export type PatchState = 'applied' | 'pending' | 'leftover';

/** The records in the process's arenas, in address order. */
export function findRecords(process: Process, maps: readonly Mapping[]): PatchRecord[] {
  const records: PatchRecord[] = [];
  for (const mapping of maps) {
    if (mapping.path !== ARENA_NAME || !mapping.execute || mapping.write) continue;
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

export function stateOf(record: PatchRecord, process: Process, view: View | null): PatchState {
  if (hasDetours(record, (address) => process.read(address, DETOUR_SIZE))) return 'applied';
  if (view && hasDetours(record, (address) => readView(view, address))) return 'pending';
  return 'leftover';
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
