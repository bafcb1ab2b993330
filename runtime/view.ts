// SPDX-License-Identifier: MIT
/**
 * A view's descriptor, with the kernel's answers turned into the runtime's errors.
 *
 *     cloned -> mapped -> written, guarded -> sealed -> migrating -> complete -> folded
 *
 * Invariant: until `migrateAll` the target's threads see nothing of it, and closing the descriptor (also by being killed)
 * takes everything back. After it the kernel carries the transition on by itself; closing changes nothing any more.
 */
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { type RunAddress, runAddress } from '../planner/index.js';
import { RuntimeError } from './errors.js';
import type { GuardRange } from './guards.js';
import type { Consistency } from './record.js';
import * as abi from './sys/abi.js';
import { addressOf, close, ioctl, mmviewClone, mmviewMigrate, poll, pread, pwrite, SysError } from './sys/calls.js';

export interface ViewThread {
  readonly tid: number;
  readonly migrated: boolean;
  readonly why: abi.Why;
  /** For 'pc' and 'stack': the address that lies in a guard. */
  readonly where: RunAddress;
  /** For 'stack': where on the stack that address was found. */
  readonly slot: RunAddress;
  /** For one that has migrated: when, in microseconds of CLOCK_MONOTONIC; 0 if it was born in the view. */
  readonly when: number;
}

export interface ViewState {
  readonly total: number;
  readonly migrated: number;
  readonly complete: boolean;
  readonly folded: boolean;
  /** All threads have been asked to a newer view since. */
  readonly superseded: boolean;
  readonly threads: readonly ViewThread[];
}

const NO_SUCH_VIEW: ReadonlySet<string> = new Set(['ENOENT', 'ENOSYS']);

export class View {
  private readonly fd: number;
  private readonly pid: number;
  private room = 64;

  private constructor(fd: number, pid: number) {
    this.fd = fd;
    this.pid = pid;
  }

  /** A new view of the process behind `pidfd`. */
  static clone(pidfd: number, pid: number): View {
    return new View(
      translated(pid, () => mmviewClone(pidfd, 0)),
      pid,
    );
  }

  /** The view of a transition that is under way or not yet folded, or null if there is none (or the kernel has no views). */
  static attach(pidfd: number, pid: number): View | null {
    try {
      return new View(mmviewClone(pidfd, abi.CLONE_ATTACH), pid);
    } catch (error) {
      if (error instanceof SysError && NO_SUCH_VIEW.has(error.errno)) return null;
      throw translate(pid, error);
    }
  }

  /** The kernel's number of the view, as /proc/PID/task/TID/mmview has it. */
  get number(): number {
    const found = /^mmview:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${this.fd}`, 'utf8'));
    if (!found) throw new Error(`descriptor ${this.fd} is not one of a view`);
    return Number(found[1]);
  }

  /** Maps the arena within 2 GiB of every byte of `near`; the data part begins where the code part ends. */
  map(near: { start: RunAddress; end: RunAddress; name: string }, codeSize: number, dataSize: number): RunAddress {
    const request = abi.MAP.encode({
      near_start: near.start,
      near_end: near.end,
      code_size: codeSize,
      data_size: dataSize,
    });
    this.call({ object: near.name, size: codeSize + dataSize }, () => ioctl('MAP', this.fd, abi.IOC_MAP, request));
    return runAddress(abi.MAP.decode(request).code_addr);
  }

  write(address: RunAddress, bytes: Uint8Array): void {
    this.whole(bytes.length, (done) => pwrite(this.fd, bytes.subarray(done), address + done));
  }

  read(address: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    this.whole(length, (done) => pread(this.fd, bytes.subarray(done), address + done));
    return bytes;
  }

  guard(ranges: readonly GuardRange[]): void {
    const list = Buffer.concat(ranges.map(({ start, end, kind }) => abi.RANGE.encode({ start, end, kind })));
    const request = abi.GUARD.encode({ ranges: addressOf(list), nr: ranges.length });
    this.call({}, () => ioctl('GUARD', this.fd, abi.IOC_GUARD, request));
  }

  seal(): void {
    this.call({}, () => ioctl('SEAL', this.fd, abi.IOC_SEAL, null));
  }

  /**
   * Starts the transition of all threads, those born meanwhile included. True: it is complete already. A cooperative one
   * leaves it to each thread to move itself.
   */
  migrateAll(consistency: Consistency, cooperative = false): boolean {
    const how = (consistency === 'entry' ? abi.MIGRATE_ENTRY : 0) | (cooperative ? abi.MIGRATE_COOPERATIVE : 0);
    const flags = abi.MIGRATE_ALL | how;
    return this.call({}, () => mmviewMigrate(this.fd, this.pid, flags)) === 1;
  }

  state(): ViewState {
    for (;;) {
      const list = Buffer.alloc(this.room * abi.THREAD.size);
      const request = abi.STATE.encode({ threads: addressOf(list), nr: this.room });
      this.call({}, () => ioctl('STATE', this.fd, abi.IOC_STATE, request));
      const { nr, migrated, flags } = abi.STATE.decode(request);
      if (nr > this.room) {
        this.room = nr + 64;
        continue;
      }
      const threads = Array.from({ length: nr }, (_, i) => abi.THREAD.decode(list, i * abi.THREAD.size));
      return {
        total: nr,
        migrated,
        complete: (flags & abi.STATE_COMPLETE) !== 0,
        folded: (flags & abi.STATE_FOLDED) !== 0,
        superseded: (flags & abi.STATE_SUPERSEDED) !== 0,
        threads: threads.map((t) => ({
          tid: t.tid,
          migrated: t.migrated === 1,
          why: abi.WHY[t.why] ?? 'none',
          where: runAddress(t.where),
          slot: runAddress(t.slot),
          when: t.when,
        })),
      };
    }
  }

  /** Waits for completion without blocking the event loop; false after `milliseconds`. */
  wait(milliseconds: number): Promise<boolean> {
    return poll(this.fd, milliseconds);
  }

  /** Writes the view into the base and dismisses it. False: a thread is not in the view (any more), wait again. */
  fold(): boolean {
    try {
      ioctl('FOLD', this.fd, abi.IOC_FOLD, null);
      return true;
    } catch (error) {
      if (error instanceof SysError && error.errno === 'EBUSY') return false;
      throw translate(this.pid, error);
    }
  }

  close(): void {
    close(this.fd);
  }

  /** Calls `part` until all of `length` is done; a call may do less than it was asked for, but not nothing. */
  private whole(length: number, part: (done: number) => number): void {
    for (let done = 0; done < length; ) {
      const count = this.call({}, () => part(done));
      if (count === 0) throw new RuntimeError('KERNEL_REFUSED', { call: 'pread or pwrite', errno: 'nothing done' });
      done += count;
    }
  }

  private call<T>(facts: Record<string, string | number>, action: () => T): T {
    return translated(this.pid, action, facts);
  }
}

function translated<T>(pid: number, action: () => T, facts: Record<string, string | number> = {}): T {
  try {
    return action();
  } catch (error) {
    throw translate(pid, error, facts);
  }
}

function translate(pid: number, error: unknown, facts: Record<string, string | number> = {}): unknown {
  if (!(error instanceof SysError)) return error;
  const { call, errno } = error;
  const options = { cause: error };
  switch (errno) {
    case 'ENOSYS':
      return new RuntimeError('NO_VIEWS', { kernel: release() }, options);
    // One number, two names.
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
      return new RuntimeError('VIEWS_UNSUPPORTED', { pid }, options);
    case 'EPERM':
      return new RuntimeError('NO_PERMISSION', { pid, what: error.message }, options);
    case 'ESRCH':
      return new RuntimeError('PROCESS_GONE', { pid }, options);
    case 'ENOMEM':
      return new RuntimeError('NO_MEMORY', { call }, options);
    case 'ENOSPC':
      return new RuntimeError('NO_ROOM', facts, options);
    case 'EBUSY':
      return call === 'pwrite'
        ? new RuntimeError('UPROBES', { pid, call }, options)
        : new RuntimeError('OTHER_TRANSITION', { pid, patch: call }, options);
    default:
      return new RuntimeError('KERNEL_REFUSED', { call, errno }, options);
  }
}
