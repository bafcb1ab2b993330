// SPDX-License-Identifier: MIT
/**
 * Instructions of the target's own that it is made to run: `syscall; ret`, and the `mov $15,%eax; syscall` that ends its
 * signal handlers.
 *
 * Nothing is injected to run a system call in a process: what stands in its C library will do. Found by content, at any
 * offset, in files' code only: what a program makes at run time may be gone the next moment.
 */
import { RuntimeError } from '../errors.js';
import type { Mapping } from '../proc/maps.js';
import type { Process } from '../proc/process.js';

export interface Gadgets {
  /** `syscall; ret` */
  readonly call: number;
  /** `mov $15,%eax; syscall`: rt_sigreturn */
  readonly restore: number;
}

const CALL = [Buffer.from('0f05c3', 'hex')];
const RESTORE = [Buffer.from('48c7c00f0000000f05', 'hex'), Buffer.from('b80f0000000f05', 'hex')];
const CHUNK = 1 << 20;
const OVERLAP = 16;

export function findGadgets(process: Process, maps: readonly Mapping[]): Gadgets {
  const code = maps
    .filter(({ execute, read, write, inode }) => execute && read && !write && inode !== '0')
    .sort((a, b) => a.end - a.start - (b.end - b.start));
  const gadgets = { call: find(process, code, CALL), restore: find(process, code, RESTORE) };
  if (gadgets.call !== null && gadgets.restore !== null) return gadgets as Gadgets;
  const what = gadgets.call === null ? 'a "syscall; ret"' : 'the end of a signal handler';
  throw new RuntimeError('NO_GADGET', { pid: process.pid, what });
}

function find(process: Process, code: readonly Mapping[], wanted: readonly Buffer[]): number | null {
  for (const { start, end } of code)
    for (let at: number = start; at < end; at += CHUNK) {
      const bytes = process.read(at, Math.min(CHUNK + OVERLAP, end - at));
      for (const pattern of bytes ? wanted : []) {
        const found = bytes!.indexOf(pattern);
        if (found >= 0) return at + found;
      }
    }
  return null;
}
