// SPDX-License-Identifier: MIT
/**
 * /proc/PID/maps as values.
 *
 * Invariant: the list is in address order without overlaps, as the kernel prints it. A line that cannot be parsed is a
 * fault of ours and throws: guessing at a process's memory is worse than stopping.
 */
import { type RunAddress, runAddress } from '../../planner/index.js';

export interface Mapping {
  readonly start: RunAddress;
  readonly end: RunAddress;
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  readonly private: boolean;
  readonly offset: number;
  /** "major:minor" */
  readonly device: string;
  readonly inode: string;
  /** Unescaped; '' for anonymous memory; pseudo names in brackets: "[stack]". */
  readonly path: string;
  /** The file has been unlinked or replaced since it was mapped. */
  readonly deleted: boolean;
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) ([r-])([w-])([x-])([ps]) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+)(?: +(.*))?$/;
const DELETED = ' (deleted)';

export function parseMaps(text: string): Mapping[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine)
    .filter((mapping) => mapping !== null);
}

function parseLine(line: string): Mapping | null {
  const match = LINE.exec(line);
  if (!match) throw new Error(`/proc maps: cannot parse "${line}"`);
  const [, start, end, r, w, x, p, offset, device, inode, name = ''] = match as unknown as string[];
  // The vsyscall page lies in the kernel's half, beyond what an address can be.
  if (start!.length === 16) return null;
  const deleted = inode !== '0' && name.endsWith(DELETED);
  return {
    start: runAddress(Number.parseInt(start!, 16)),
    end: runAddress(Number.parseInt(end!, 16)),
    read: r === 'r',
    write: w === 'w',
    execute: x === 'x',
    private: p === 'p',
    offset: Number.parseInt(offset!, 16),
    device: device!,
    inode: inode!,
    path: (deleted ? name.slice(0, -DELETED.length) : name).replaceAll('\\012', '\n'),
    deleted,
  };
}

/** The mapping that holds `address`. */
export function mappingAt(maps: readonly Mapping[], address: number): Mapping | undefined {
  return maps.find((mapping) => mapping.start <= address && address < mapping.end);
}

/** Could an arena's code part be here? It has no name, for perf's sake; only the data part has one. */
export const mayHoldArena = ({ path, inode, read, write, execute, private: own }: Mapping): boolean =>
  read && execute && !write && own && path === '' && inode === '0';
