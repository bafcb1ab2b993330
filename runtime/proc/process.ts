// SPDX-License-Identifier: MIT
/**
 * A process from outside: opened once, read through /proc, told apart from a later one with the same pid.
 *
 * Invariant: every read happens between opening a pidfd and checking that the process behind it still lives, so what
 * was read is about one process. Nothing here changes anything in the target.
 *
 * A process lives as long as any of its threads: if its main thread has ended, what is left of that says nothing of the
 * others, and the process is looked at through one of them.
 */
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { RuntimeError } from '../errors.js';
import { close, lockFile, pidfdOpen, pidfdProbe, SysError, unlockFile } from '../sys/calls.js';
import { type Mapping, parseMaps } from './maps.js';
import { readAt } from './memory.js';

export interface ThreadName {
  readonly tid: number;
  readonly name: string;
}

export class Process {
  readonly pid: number;
  readonly pidfd: number;
  /** Clock ticks since boot: with the pid, the process's identity. */
  readonly startTime: string;
  readonly name: string;
  private readonly memory: number;

  private constructor(pid: number, pidfd: number, stat: Stat, memory: number) {
    this.pid = pid;
    this.pidfd = pidfd;
    this.startTime = stat.startTime;
    this.name = stat.name;
    this.memory = memory;
  }

  static open(pid: number): Process {
    const pidfd = openPidfd(pid);
    try {
      const stat = readStat(pid);
      const folder = livingFolder(pid);
      if (folder === null) throw new RuntimeError('PROCESS_ZOMBIE', { pid, name: stat.name });
      const memory = asked(pid, () => openSync(`${folder}/mem`, 'r'));
      const process = new Process(pid, pidfd, stat, memory);
      process.checkAlive();
      return process;
    } catch (error) {
      close(pidfd);
      throw error;
    }
  }

  close(): void {
    closeSync(this.memory);
    close(this.pidfd);
  }

  /** Throws if the process has ended, or if its pid means another process by now. */
  checkAlive(): void {
    try {
      pidfdProbe(this.pidfd);
    } catch (error) {
      // EPERM is about signals, which is not what we ask: the process exists.
      if (!(error instanceof SysError) || error.errno !== 'EPERM') throw answerOf(this.pid, error);
    }
    if (readStat(this.pid).startTime !== this.startTime) throw new RuntimeError('PROCESS_GONE', { pid: this.pid });
  }

  maps(): Mapping[] {
    const shownIn = (folder: string) => asked(this.pid, () => readFileSync(`${folder}/maps`, 'utf8'));
    // What is left of a main thread that has ended shows none, or fails.
    const text = unlessGone(this.pid, () => shownIn(`/proc/${this.pid}`)) || shownIn(this.folder);
    const maps = parseMaps(text);
    if (maps.length > 0) return maps;
    this.checkAlive();
    throw new RuntimeError('KERNEL_THREAD', { pid: this.pid, name: this.name });
  }

  /** Its folder in /proc, or that of a thread that lives on without the main thread. */
  get folder(): string {
    return livingFolder(this.pid) ?? `/proc/${this.pid}`;
  }

  /** `length` bytes at `address` as the main thread sees them, or null where (part of) it cannot be read. */
  read(address: number, length: number): Buffer | null {
    return readAt(this.memory, address, length);
  }

  /**
   * Keeps every other `driftpatch` off this process, until `unlock` or the end of this one; false: another has it. Who
   * may lock it may change it: nobody else can open its memory.
   */
  lock(): boolean {
    return lockFile(this.memory);
  }

  unlock(): void {
    unlockFile(this.memory);
  }

  /** The number of the view that a thread runs in, 0 for the base, also of one that has ended. */
  viewOf(tid: number): number {
    return Number(unlessGone(this.pid, () => readFileSync(`/proc/${this.pid}/task/${tid}/mmview`, 'utf8')) ?? 0);
  }

  /** Where the stack of a blocked thread begins; null of one that runs or has ended. */
  stackPointer(tid: number): number | null {
    try {
      const fields = readFileSync(`/proc/${this.pid}/task/${tid}/syscall`, 'utf8').trim().split(' ');
      const value = fields.length >= 3 ? Number(fields.at(-2)) : Number.NaN;
      return Number.isSafeInteger(value) ? value : null;
    } catch {
      return null;
    }
  }

  tids(): number[] {
    return asked(this.pid, () => readdirSync(`/proc/${this.pid}/task`)).map(Number);
  }

  threads(): ThreadName[] {
    return this.tids().map((tid) => ({ tid, name: this.threadName(tid) }));
  }

  /** A thread's name, '' once it has ended. */
  threadName(tid: number): string {
    try {
      return printable(readFileSync(`/proc/${this.pid}/task/${tid}/comm`, 'utf8').trimEnd());
    } catch {
      return '';
    }
  }
}

function openPidfd(pid: number): number {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    const tgid = threadGroupOf(pid);
    if (tgid !== null && tgid !== pid) throw new RuntimeError('NOT_A_PROCESS', { pid, tgid }, { cause: error });
    throw answerOf(pid, error);
  }
}

function threadGroupOf(pid: number): number | null {
  try {
    const line = /^Tgid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line ? Number(line[1]) : null;
  } catch {
    return null;
  }
}

const hasEnded = (folder: string): boolean => /^State:\s+[ZX]/m.test(readFileSync(`${folder}/status`, 'utf8'));

/** Where the process is to be seen: null if all its threads have ended. */
export function livingFolder(pid: number): string | null {
  const main = `/proc/${pid}`;
  return asked(pid, () => {
    if (!hasEnded(main)) return main;
    for (const tid of readdirSync(`${main}/task`)) {
      const one = `${main}/task/${tid}`;
      try {
        if (!hasEnded(one)) return one;
      } catch {
        // It has ended altogether.
      }
    }
    return null;
  });
}

interface Stat {
  readonly name: string;
  readonly startTime: string;
}

function readStat(pid: number): Stat {
  const text = asked(pid, () => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  // The name may hold anything, parentheses and blanks included: the last parenthesis ends it.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  return { name: printable(text.slice(text.indexOf('(') + 1, end)), startTime: fields[19]! };
}

/** `text` without what a terminal would act on: names come from the target and are not trusted. */
export function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, '?');
}

/** What `action` asks of process `pid`; a system call that fails becomes a RuntimeError that says why. */
export function asked<T>(pid: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw answerOf(pid, error);
  }
}

/** The same; null where what is asked for has ended. */
export function unlessGone<T>(pid: number, action: () => T): T | null {
  try {
    return asked(pid, action);
  } catch (error) {
    if (error instanceof RuntimeError && error.code === 'PROCESS_GONE') return null;
    throw error;
  }
}

/** Only a process that is not there has ended: it may also be that the kernel, or this process, has no room for the answer. */
function answerOf(pid: number, error: unknown): unknown {
  const failed = failureOf(error);
  if (failed === null) return error;
  const { call, errno } = failed;
  const options = { cause: error };
  switch (errno) {
    case 'EACCES':
    case 'EPERM':
      return new RuntimeError('NO_PERMISSION', { pid, what: `${call}: ${errno}` }, options);
    case 'ENOENT':
    case 'ESRCH':
      return new RuntimeError('PROCESS_GONE', { pid }, options);
    case 'ENOMEM':
      return new RuntimeError('NO_MEMORY', { call }, options);
    default:
      return new RuntimeError('KERNEL_REFUSED', { call, errno }, options);
  }
}

/** Of a call of ours, or of one of Node's. */
function failureOf(error: unknown): { call: string; errno: string } | null {
  if (error instanceof SysError) return error;
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  return code && syscall ? { call: path ? `${syscall} ${path}` : syscall, errno: code } : null;
}
