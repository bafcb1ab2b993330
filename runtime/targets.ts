// SPDX-License-Identifier: MIT
/**
 * Which processes are meant when none is named: those of one program, or all, that have what is to be changed.
 *
 * Invariant: those that cannot be looked at for want of permission are counted, not passed over in silence. Our own
 * process is not among them: it ends before it matters.
 */
import { readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { RuntimeError } from './errors.js';
import type { Mapping } from './proc/maps.js';
import { livingFolder, Process, unlessGone } from './proc/process.js';

/** `exe`: the processes that run this program. */
export type Selection = { readonly exe: string } | { readonly all: true };

export interface Target {
  readonly pid: number;
  readonly name: string;
  /** With the pid, the process's identity. */
  readonly startTime: string;
}

export interface Found {
  readonly targets: readonly Target[];
  /** Processes that could not be looked at. */
  readonly hidden: number;
}

export type Wish = (process: Process, maps: readonly Mapping[]) => boolean;

/** The processes of `selection` for which `wish` holds. */
export function findTargets(selection: Selection, wish: Wish): Found {
  const exe = 'exe' in selection ? programPath(selection.exe) : null;
  const targets: Target[] = [];
  let hidden = 0;
  for (const pid of processIds()) {
    if (pid === process.pid || (exe !== null && programOf(pid) !== exe)) continue;
    try {
      const found = look(pid, wish);
      if (found) targets.push(found);
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      if (error.code === 'NO_PERMISSION') hidden++;
      else if (!hasEnded(error)) throw error;
    }
  }
  return { targets, hidden };
}

const ENDED: ReadonlySet<string> = new Set(['PROCESS_GONE', 'PROCESS_ZOMBIE', 'KERNEL_THREAD']);

/** Is there no process any more, or none with user code? */
export const hasEnded = (error: RuntimeError): boolean => ENDED.has(error.code);

export const processIds = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** Does it run on, and is it still what was found? Yes, where that cannot be found out. */
export function isStill({ pid, startTime }: Target, wish: Wish): boolean {
  try {
    return look(pid, wish)?.startTime === startTime;
  } catch (error) {
    if (error instanceof RuntimeError) return !hasEnded(error);
    throw error;
  }
}

function look(pid: number, wish: Wish): Target | null {
  const one = Process.open(pid);
  try {
    return wish(one, one.maps()) ? { pid, name: one.name, startTime: one.startTime } : null;
  } finally {
    one.close();
  }
}

/** An upgrade may have removed the program, or put another in its place: then its path is all there is. */
function programPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (path.startsWith('/')) return path;
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new RuntimeError('EXE_UNKNOWN', { path, why }, { cause: error });
  }
}

/** Null of one that has ended, and of another user's. */
function programOf(pid: number): string | null {
  try {
    return unlessGone(pid, () => readlinkSync(`${livingFolder(pid)}/exe`))?.replace(/ \(deleted\)$/, '') ?? null;
  } catch (error) {
    if (error instanceof RuntimeError && error.code === 'NO_PERMISSION') return null;
    throw error;
  }
}
