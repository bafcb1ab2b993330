// SPDX-License-Identifier: MIT
/**
 * Pass 5, guards: the ranges that no thread may be in when it migrates, and their names for people.
 *
 * CHANGED is where bytes differ between base and view: always guarded. BODY is the whole of each old function with its
 * other parts: the kernel heeds it for strict consistency only.
 */
import { RuntimeError } from './errors.js';
import type { PatchRecord, RecordedFunction } from './record.js';
import { DETOUR_SIZE } from './record.js';
import { GUARD_BODY, GUARD_CHANGED, MAX_GUARDS } from './sys/abi.js';

export interface GuardRange {
  readonly start: number;
  readonly end: number;
  readonly kind: number;
}

export function guardRanges({ functions, jumps }: Pick<PatchRecord, 'functions' | 'jumps'>): GuardRange[] {
  const ofFunctions = functions.flatMap(({ entry, size, detour, parts }) => [
    { start: detour, end: detour + DETOUR_SIZE, kind: GUARD_CHANGED },
    ...[{ start: entry, size }, ...parts]
      .filter((range) => range.size > 0)
      .map((range) => ({ start: range.start, end: range.start + range.size, kind: GUARD_BODY })),
  ]);
  const ofJumps = jumps.map(({ at, bytes }) => ({ start: at, end: at + bytes.length, kind: GUARD_CHANGED }));
  const ranges = [...ofFunctions, ...ofJumps];
  if (ranges.length > MAX_GUARDS)
    throw new RuntimeError('GUARDS_TOO_MANY', { count: ranges.length, limit: MAX_GUARDS });
  return ranges;
}

export interface Place {
  readonly function: string;
  readonly offset: number;
}

/** Which old function holds `address`, and how far in. */
export function placeOf(functions: readonly RecordedFunction[], address: number): Place | null {
  for (const { name, entry, size, detour, parts } of functions) {
    if (entry <= address && address < Math.max(entry + size, detour + DETOUR_SIZE))
      return { function: name, offset: address - entry };
    const part = parts.find(({ start, size: length }) => start <= address && address < start + length);
    if (part) return { function: `${name} (cold part)`, offset: address - part.start };
  }
  return null;
}
