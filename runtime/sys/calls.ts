// SPDX-License-Identifier: MIT
/**
 * Every call into the kernel that Node has no API for, through koffi: the only module that knows koffi.
 *
 * Each function here is one system call: it returns what the call returns, or throws a SysError with the errno's name.
 * Calls block for no longer than the kernel needs, but for `poll`, which runs on a worker thread.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import koffi from 'koffi';
import { NR } from './abi.js';

/** A system call that failed: which, and why. */
export class SysError extends Error {
  readonly call: string;
  /** The errno's name: 'EPERM'. */
  readonly errno: string;

  constructor(call: string, errno: number) {
    const name = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
    super(`${call}: ${name}`);
    this.name = 'SysError';
    this.call = call;
    this.errno = name;
  }
}

// Bound at first use: reading a patch file or printing a help text needs no foreign call.
let bound: ReturnType<typeof bind> | undefined;
const libc = () => {
  bound ??= bind();
  return bound;
};

function bind() {
  const lib = koffi.load(null);
  return {
    syscall: lib.func('syscall', 'long', ['long', 'long', 'long', 'long', 'long']),
    ioctl: lib.func('ioctl', 'int', ['int', 'ulong', 'void *']),
    pread: lib.func('pread', 'long', ['int', 'void *', 'size_t', 'int64']),
    pwrite: lib.func('pwrite', 'long', ['int', 'void *', 'size_t', 'int64']),
    flock: lib.func('flock', 'int', ['int', 'int']),
    poll: lib.func('poll', 'int', ['void *', 'ulong', 'int']),
  };
}

function checked(call: string, result: number): number {
  if (result < 0) throw new SysError(call, koffi.errno());
  return result;
}

/** A descriptor of process `pid` that no other process will ever be behind. */
export const pidfdOpen = (pid: number): number => checked('pidfd_open', libc().syscall(NR.pidfd_open, pid, 0, 0, 0));

/** Throws ESRCH when the process behind `pidfd` has ended. */
export const pidfdProbe = (pidfd: number): void => {
  checked('pidfd_send_signal', libc().syscall(NR.pidfd_send_signal, pidfd, 0, 0, 0));
};

export const mmviewClone = (pidfd: number, flags: number): number =>
  checked('mmview_clone', libc().syscall(NR.mmview_clone, pidfd, flags, 0, 0));

export const mmviewMigrate = (view: number, tid: number, flags: number): number =>
  checked('mmview_migrate', libc().syscall(NR.mmview_migrate, view, tid, flags, 0));

/** `argument` is read, and for requests that answer, written in place. */
export const ioctl = (name: string, fd: number, request: number, argument: Buffer | null): number =>
  checked(`ioctl ${name}`, libc().ioctl(fd, request, argument));

export const pread = (fd: number, into: Buffer, offset: number): number =>
  checked('pread', libc().pread(fd, into, into.length, offset));

export const pwrite = (fd: number, from: Uint8Array, offset: number): number =>
  checked('pwrite', libc().pwrite(fd, from, from.length, offset));

const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;

/** Locks the file behind `fd` until it is closed or unlocked; false if somebody else has it locked. */
export function lockFile(fd: number): boolean {
  try {
    checked('flock', libc().flock(fd, LOCK_EX | LOCK_NB));
    return true;
  } catch (error) {
    if (error instanceof SysError && error.errno === 'EAGAIN') return false;
    throw error;
  }
}

export const unlockFile = (fd: number): void => {
  checked('flock', libc().flock(fd, LOCK_UN));
};

const POLLIN = 1;
const POLLERR = 8;
const POLLHUP = 16;

/** Waits on a worker thread until `fd` is readable (true), or `milliseconds` have passed or a signal came (false). */
export function poll(fd: number, milliseconds: number): Promise<boolean> {
  const request = koffi.alloc('uint8', 8) as unknown;
  const bytes = Buffer.from(koffi.view(request, 8));
  bytes.writeInt32LE(fd, 0);
  bytes.writeInt16LE(POLLIN, 4);
  return new Promise((resolve, reject) => {
    libc().poll.async(request, 1, milliseconds, (error: unknown, count: number) => {
      const events = bytes.readInt16LE(6);
      koffi.free(request);
      if (error) reject(error);
      else resolve(count > 0 && (events & (POLLIN | POLLERR | POLLHUP)) !== 0);
    });
  });
}

const WNOHANG = 1;
const WALL = 0x40000000;

/** One request to thread `tid`, which this very thread of ours must be tracing (or be about to). `name` is for errors. */
export const ptrace = (name: string, request: number, tid: number, address: number, data: number | bigint | Buffer) =>
  checked(
    `ptrace ${name}`,
    libc().syscall(NR.ptrace, request, tid, address, data instanceof Buffer ? addressOf(data) : data),
  );

/** What has become of the traced thread `tid`, as wait(2) encodes it; null if nothing has happened. Never waits. */
export function waitStatus(tid: number): number | null {
  const status = Buffer.alloc(4);
  const found = checked('wait4', libc().syscall(NR.wait4, tid, addressOf(status), WNOHANG | WALL, 0));
  return found === 0 ? null : status.readInt32LE();
}

/** The address that a C structure needs to point to `bytes`; `bytes` must stay referenced while it is used. */
export const addressOf = (bytes: Buffer): bigint => koffi.address(bytes);

export const close = (fd: number): void => closeSync(fd);
