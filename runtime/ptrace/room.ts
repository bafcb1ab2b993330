// SPDX-License-Identifier: MIT
/**
 * Where an arena fits: free addresses from which every byte of an object can be reached and back.
 *
 * As the kernel chooses for a view: below the object, as close as there is room, with a free page on either side if there is one to
 * spare; else above it, clear of where the heap grows. Never right below a stack, which grows downwards.
 */
import { type RunAddress, runAddress } from '../../planner/index.js';
import { PAGE } from '../link/layout.js';
import type { Mapping } from '../proc/maps.js';
import { USER_SPACE_END } from '../proc/memory.js';

/** A 32-bit displacement's, less a page for an instruction's length and an addend. */
const REACH = 2 ** 31 - PAGE;

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Null: there is no room. `lowest` is the first address that a process may map. */
export function findRoom(maps: readonly Mapping[], near: Span, size: number, lowest: number): RunAddress | null {
  const gaps = gapsIn(maps, Math.max(lowest, PAGE));
  for (const margin of [PAGE, 0]) {
    const found = below(gaps, near, size + 2 * margin) ?? above(gaps, maps, near, size + 2 * margin);
    if (found !== null) return runAddress(found + margin);
  }
  return null;
}

function gapsIn(maps: readonly Mapping[], lowest: number): Span[] {
  const gaps: Span[] = [];
  let from = lowest;
  for (const { start, end, path } of maps) {
    if (start > from && !path.startsWith('[stack')) gaps.push({ start: from, end: start });
    from = Math.max(from, end);
  }
  if (USER_SPACE_END - PAGE > from) gaps.push({ start: from, end: USER_SPACE_END - PAGE });
  return gaps;
}

function below(gaps: readonly Span[], near: Span, size: number): number | null {
  const low = Math.max(near.end - REACH, 0);
  for (const gap of [...gaps].reverse()) {
    const end = Math.min(gap.end, near.start);
    if (end - size >= Math.max(gap.start, roundUp(low))) return end - size;
  }
  return null;
}

function above(gaps: readonly Span[], maps: readonly Mapping[], near: Span, size: number): number | null {
  const high = near.start + REACH;
  const heap = maps.find(({ path }) => path === '[heap]')?.end ?? 0;
  const low = heap >= near.end && heap < high ? heap + roundUp((high - heap) / 2) : near.end;
  for (const gap of gaps) {
    const start = Math.max(gap.start, low);
    if (start + size <= Math.min(gap.end, high)) return start;
  }
  return null;
}

const roundUp = (value: number): number => Math.ceil(value / PAGE) * PAGE;
