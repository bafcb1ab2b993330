// SPDX-License-Identifier: MIT
/**
 * The records in a process's arenas, and the layers of patches over its functions.
 *
 * A detour stands over the entry's own bytes, or over an earlier patch's detour, whose bytes its record has kept. So a
 * text says by itself which patches lie over a function, the topmost first: from the bytes that stand there, each record
 * leads to what stood there before.
 *
 * Invariant: layers are read from one text, records included. A record changes with the text, when its patch is applied
 * again over something else.
 */
import { type RunAddress, runAddress } from '../planner/index.js';
import { type Mapping, mayHoldArena } from './proc/maps.js';
import {
  DETOUR_SIZE,
  decodeRecord,
  type PatchRecord,
  RECORD_HEAD,
  type RecordedFunction,
  recordSize,
} from './record.js';
import type { Text } from './texts.js';
import type { UnwinderJump } from './unwind/place.js';

/** The records in address order. */
export function findRecords(text: Text, maps: readonly Mapping[]): PatchRecord[] {
  const records: PatchRecord[] = [];
  for (const mapping of maps) {
    if (!mayHoldArena(mapping)) continue;
    // Neighbouring arenas may show as one mapping: behind one arena's code part the next may begin.
    for (let at: number = mapping.start; at < mapping.end; ) {
      const record = readRecord(text, at, mapping.end);
      if (!record) break;
      records.push(record);
      at += record.codeSize;
    }
  }
  return records;
}

function readRecord(text: Text, at: number, end: number): PatchRecord | null {
  const head = text(at, RECORD_HEAD);
  const size = head && recordSize(head);
  if (!size || at + size > end) return null;
  const bytes = text(at, size);
  return bytes && decodeRecord(bytes, runAddress(at));
}

/** One patch's part in one function. */
export interface Layer {
  readonly record: PatchRecord;
  readonly function: RecordedFunction;
}

export interface Entry {
  readonly detour: RunAddress;
  /** What stands there. */
  readonly bytes: Uint8Array;
  /** Whose detours, the topmost first; [] if the function is its own. */
  readonly layers: readonly Layer[];
  /** What stands below all layers. */
  readonly bottom: Uint8Array;
}

/** A text with its records, and what lies over each function that any of them knows. */
export class Layered {
  readonly records: readonly PatchRecord[];
  private readonly text: Text;
  private readonly byDetour = new Map<number, Layer[]>();

  constructor(text: Text, maps: readonly Mapping[]) {
    this.text = text;
    this.records = findRecords(text, maps);
    for (const record of this.records)
      for (const one of record.functions)
        this.byDetour.set(one.detour, [...(this.byDetour.get(one.detour) ?? []), { record, function: one }]);
  }

  /** What the text has there; null where nothing can be read. */
  read(address: number, length: number): Buffer | null {
    return this.text(address, length);
  }

  /** Does a jump to this patch's finder stand, by itself or behind those of later patches? */
  leadsTo({ at, bytes }: UnwinderJump): boolean {
    const known = new Set(this.records.flatMap(({ jumps }) => jumps.filter((jump) => jump.at === at)));
    for (let found: Uint8Array | null = this.text(at, bytes.length); found !== null; ) {
      if (Buffer.compare(found, bytes) === 0) return true;
      const next: UnwinderJump | undefined = [...known].find((jump) => Buffer.compare(jump.bytes, found!) === 0);
      if (!next) return false;
      known.delete(next);
      found = next.original;
    }
    return false;
  }

  /** Null where nothing can be read. */
  entryAt(detour: RunAddress): Entry | null {
    const bytes = this.text(detour, DETOUR_SIZE);
    if (!bytes) return null;
    const known = new Set(this.byDetour.get(detour) ?? []);
    const layers: Layer[] = [];
    let bottom: Uint8Array = bytes;
    for (;;) {
      const next = [...known].find((layer) => Buffer.compare(layer.function.detourBytes, bottom) === 0);
      if (!next) return { detour, bytes, layers, bottom };
      // Each at most once: a record could be made to lead to itself.
      known.delete(next);
      layers.push(next);
      bottom = next.function.originalBytes;
    }
  }

  /** Does the patch of the arena at `arena` stand, on top or below others, at every one of its functions? */
  stands(arena: RunAddress): boolean {
    const record = this.records.find((one) => one.arena === arena);
    if (!record || record.functions.length === 0) return false;
    return record.functions.every(({ detour }) =>
      this.entryAt(detour)?.layers.some((layer) => layer.record === record),
    );
  }

  /** The patches that lie over some function of the patch at `arena`, the topmost first. */
  over(arena: RunAddress): PatchRecord[] {
    const found = new Set<PatchRecord>();
    for (const { detour } of this.records.find((one) => one.arena === arena)?.functions ?? []) {
      const layers = this.entryAt(detour)?.layers ?? [];
      const own = layers.findIndex((layer) => layer.record.arena === arena);
      for (const { record } of layers.slice(0, Math.max(own, 0))) found.add(record);
    }
    return [...found];
  }
}
