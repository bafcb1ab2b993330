// SPDX-License-Identifier: MIT
// What stands at the entries of the functions that a patch replaces, read from the process's memory: the old code's own bytes, or
// a jump into an arena. Asks /proc and nobody else: neither the record in the process nor what the runtime says of it.

import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import type { Patch } from '../../planner/index.js';

/** Of all the patch's functions; `mixed` if some say this and some that. */
export type Entries = 'original' | 'detoured' | 'mixed' | 'neither';

interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
  readonly path: string;
}

/** Every process that has this file mapped. */
export function processesWith(object: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => mappingsOf(pid).some(({ path }) => path === object));
}

export function entriesOf(pid: number, object: string, patch: Patch): Entries {
  const maps = mappingsOf(pid);
  const first = maps.find(({ path, offset }) => path === object && offset === 0);
  if (!first) throw new RangeError(`process ${pid}: expected ${object} among its mappings, found none`);
  const bias = patch.target.kind === 'exec' ? 0 : first.start;
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    const found = new Set(
      patch.functions.map(({ old }) => {
        const at = bias + old.address + old.detourOffset;
        const bytes = Buffer.alloc(old.bytes.length);
        readSync(memory, bytes, 0, bytes.length, at);
        if (bytes.equals(old.bytes)) return 'original';
        const to = at + 5 + bytes.readInt32LE(1);
        const arena = maps.some(({ start, end, path }) => path === '' && to >= start && to < end);
        return bytes[0] === 0xe9 && arena ? 'detoured' : 'neither';
      }),
    );
    const [one, other] = [...found];
    return other === undefined ? (one ?? 'neither') : found.has('neither') ? 'neither' : 'mixed';
  } finally {
    closeSync(memory);
  }
}

/** None for a process that has ended, or that is none of user mode. */
function mappingsOf(pid: number): Mapping[] {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/maps`, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    const [, start, end, offset, path] = /^(\w+)-(\w+) \S+ (\w+) \S+ \d+\s*(.*)$/.exec(line) ?? [];
    if (start === undefined) return [];
    return [
      {
        start: Number.parseInt(start, 16),
        end: Number.parseInt(end!, 16),
        offset: Number.parseInt(offset!, 16),
        path: path!,
      },
    ];
  });
}

/** How many threads these processes have. */
export const threadCount = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/task`).length, 0);
