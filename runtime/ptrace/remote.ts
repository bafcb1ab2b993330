// SPDX-License-Identifier: MIT
/**
 * System calls that a stopped thread of the target is made to do, so that at any instant the thread can be left to itself:
 * killed by whatever signal, we leave a thread that goes on as if nothing had been.
 *
 * Its registers are never just replaced: it is sent through `syscall; ret` with a stack pointer at a signal's frame
 * (frame.ts), so that what follows the call, if nobody is there to put things right, is rt_sigreturn with the registers,
 * the signal mask and the floating-point state that it had. We watch at the call's two doors, take the result, and put the
 * registers back ourselves: what the kernel knows of an interrupted sleep would not survive rt_sigreturn.
 *
 * Invariants: a call is made only if the thread's seccomp filters let it pass. What is written lies below the thread's
 * stack pointer, within its stack. Signals wait meanwhile.
 */
import { RuntimeError } from '../errors.js';
import { type Mapping, mappingAt } from '../proc/maps.js';
import { addressOf, pwrite, SysError } from '../sys/calls.js';
import { NT_X86_XSTATE, PTRACE, REMOTE, type Registers } from '../sys/ptrace.js';
import { type Frame, RED_ZONE, signalFrame } from './frame.js';
import type { Gadgets } from './gadgets.js';
import { pause } from './pause.js';
import { asIfNotStopped, begunAnew, CODE_BEFORE_PC, CODE_SIZE, sleepsUntil } from './resume.js';
import { areContent } from './seccomp.js';
import type { Stop, Tracee } from './tracee.js';

const SYSCALL_SIZE = 2;
const LARGEST_ERRNO = 4095n;
const MASK_SIZE = 8;
const LONGEST_CALL_MS = 10_000;
const MAX_XSAVE = 1 << 16;
const MAX_FILTERS = 64;
const MAX_INSTRUCTIONS = 1 << 15;

type Arguments = readonly (number | bigint)[];

export interface Place {
  /** /proc/PID/mem, to be written. */
  readonly memory: number;
  readonly read: (address: number, length: number) => Buffer | null;
  readonly maps: readonly Mapping[];
  readonly gadgets: Gadgets;
}

export class RemoteThread {
  /** Is it in the middle of a timed sleep, which, should we be killed, begins anew? */
  readonly sleeps: boolean;
  private readonly tracee: Tracee;
  private readonly gadgets: Gadgets;
  private readonly before: Registers;
  private readonly sigmask: Buffer;
  private readonly frame: Frame;
  private readonly filters: readonly Buffer[];
  private away = false;

  /** `tracee` is stopped. Null: this thread cannot be used. */
  static of(tracee: Tracee, place: Place, confined: boolean): RemoteThread | null {
    const registers = tracee.registers();
    const code = place.read(Number(registers.get('rip')) - CODE_BEFORE_PC, CODE_SIZE);
    const resumed = begunAnew(asIfNotStopped(registers), code);
    const stack = mappingAt(place.maps, Number(registers.get('rsp')));
    if (!resumed || !stack || !isStack(stack, place.maps)) return null;
    const thread = new RemoteThread(tracee, place, resumed, sleepsUntil(registers, code), confined);
    if (tracee.gone || thread.frame.address < stack.start) return null;
    if (!thread.mayDo(REMOTE.rt_sigreturn, [])) return null;
    const written = pwrite(place.memory, thread.frame.bytes, thread.frame.address);
    return written === thread.frame.bytes.length ? thread : null;
  }

  private constructor(tracee: Tracee, { gadgets }: Place, resumed: Registers, sleeps: boolean, confined: boolean) {
    this.tracee = tracee;
    this.gadgets = gadgets;
    this.before = tracee.registers();
    this.sleeps = sleeps;
    this.sigmask = Buffer.alloc(MASK_SIZE);
    tracee.request('GETSIGMASK', PTRACE.GETSIGMASK, MASK_SIZE, this.sigmask);
    this.filters = confined ? filtersOf(tracee) : [];
    const below = Number(this.before.get('rsp')) - RED_ZONE;
    this.frame = signalFrame(below, gadgets.restore, resumed, this.sigmask, xsaveOf(tracee));
  }

  /** Do the thread's filters let this call pass? */
  mayDo(number: number, list: Arguments): boolean {
    return areContent(this.filters, { number, arguments: list, from: this.gadgets.call + SYSCALL_SIZE });
  }

  /** The call's result, if it is no error; else throws a SysError. */
  call(name: keyof typeof REMOTE, ...list: Arguments): bigint {
    const [rdi = 0, rsi = 0, rdx = 0, r10 = 0, r8 = 0, r9 = 0] = list;
    const { tracee } = this;
    const { call: rip } = this.gadgets;
    const parameters = { rdi, rsi, rdx, r10, r8, r9 };
    tracee.setRegisters(
      this.before.with({ ...parameters, rax: REMOTE[name], orig_rax: -1, rip, rsp: this.frame.address }),
    );
    // only now that the frame restores the mask
    if (!this.away) tracee.request('SETSIGMASK', PTRACE.SETSIGMASK, MASK_SIZE, Buffer.alloc(MASK_SIZE, 0xff));
    this.away = true;
    for (const _door of ['entry', 'exit']) {
      tracee.resume('syscall');
      waitFor(tracee, 'syscall');
    }
    const result = tracee.registers().signed('rax');
    if (tracee.gone) throw new SysError(name, ESRCH);
    if (result < 0n && result >= -LARGEST_ERRNO) throw new SysError(name, Number(-result));
    return result;
  }

  /** Gives the thread back what it had. It is still stopped. */
  restore(): void {
    if (!this.away) return;
    this.tracee.request('SETSIGMASK', PTRACE.SETSIGMASK, MASK_SIZE, this.sigmask);
    this.tracee.setRegisters(this.before);
    this.away = false;
  }
}

const ESRCH = 3;

/** Below the stack pointer nothing may be of use: so on the main thread's stack, and on one that has a guard page below it. */
function isStack(stack: Mapping, maps: readonly Mapping[]): boolean {
  if (!stack.write || !stack.private) return false;
  const below = mappingAt(maps, stack.start - 1);
  return stack.path === '[stack]' || (below !== undefined && !below.read && !below.write && !below.execute);
}

function waitFor(tracee: Tracee, stop: Stop): void {
  const deadline = performance.now() + LONGEST_CALL_MS;
  while (!tracee.hasStopped(stop)) {
    if (performance.now() > deadline)
      throw new RuntimeError('KERNEL_REFUSED', { call: 'a system call in the target', errno: 'it does not return' });
    pause();
  }
}

function xsaveOf(tracee: Tracee): Buffer {
  const area = Buffer.alloc(MAX_XSAVE);
  const iovec = Buffer.alloc(16);
  iovec.writeBigUInt64LE(addressOf(area), 0);
  iovec.writeBigUInt64LE(BigInt(area.length), 8);
  tracee.request('GETREGSET', PTRACE.GETREGSET, NT_X86_XSTATE, iovec);
  return area.subarray(0, Number(iovec.readBigUInt64LE(8)));
}

function filtersOf(tracee: Tracee): Buffer[] {
  const filters: Buffer[] = [];
  const room = Buffer.alloc(MAX_INSTRUCTIONS * 8);
  try {
    while (filters.length < MAX_FILTERS && !tracee.gone) {
      const length = tracee.request('SECCOMP_GET_FILTER', PTRACE.SECCOMP_GET_FILTER, filters.length, room);
      filters.push(Buffer.from(room.subarray(0, length * 8)));
    }
  } catch (error) {
    if (error instanceof SysError && error.errno === 'ENOENT') return filters;
    throw new RuntimeError('SECCOMP_UNKNOWN', { tid: tracee.tid, why: String(error) }, { cause: error });
  }
  throw new RuntimeError('SECCOMP_UNKNOWN', { tid: tracee.tid, why: 'too many filters' });
}
