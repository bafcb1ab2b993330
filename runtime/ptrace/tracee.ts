// SPDX-License-Identifier: MIT
/**
 * One thread of the target under ptrace, from seizing it to letting it go.
 *
 *     seized, asked to stop -> stopped -> let go
 *                           \          \
 *                            +----------+-> killed -> ended: its end has been taken note of
 *
 * Invariants: a signal that comes meanwhile is passed on, never lost. Nobody is left behind: a thread that does not stop in
 * time (a vfork parent, one that waits for a disk) is let go as soon as it does, and one that is killed is waited for, because
 * an exec in its process waits for that. Should we end, the kernel does all this. All requests come from one thread of
 * ours, the one that has seized.
 */
import { ptrace, SysError, waitStatus } from '../sys/calls.js';
import { PTRACE, PTRACE_EVENT_STOP, PTRACE_O_TRACESYSGOOD, Registers } from '../sys/ptrace.js';
import { asIfNotStopped } from './resume.js';

const SIGTRAP = 5;
const SYSGOOD = 0x80;
const POLL_MS = 2;

export type Stop = 'asked' | 'syscall';

/** Those that we still have to let go, by thread. */
const leftovers = new Map<number, Tracee>();
let polling: NodeJS.Timeout | undefined;

export class Tracee {
  readonly tid: number;
  private state: 'running' | 'stopped' | 'killed' | 'ended' = 'running';
  private known: Registers | null = null;

  private constructor(tid: number) {
    this.tid = tid;
  }

  /** Begins to trace `tid` and asks it to stop. Null: it has ended. */
  static seize(tid: number): Tracee | null {
    const again = leftovers.get(tid);
    if (again) {
      leftovers.delete(tid);
      return again;
    }
    try {
      ptrace('SEIZE', PTRACE.SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD);
    } catch (error) {
      if (isGone(error)) return null;
      throw error;
    }
    const tracee = new Tracee(tid);
    tracee.request('INTERRUPT', PTRACE.INTERRUPT, 0, 0);
    return tracee;
  }

  /** It will not run any more. */
  get gone(): boolean {
    return this.state === 'killed' || this.state === 'ended';
  }

  /** Looks whether it has come to a stop of this kind (or will never): true if so. Does not wait. */
  hasStopped(wanted: Stop = 'asked'): boolean {
    while (this.state === 'running') {
      const status = this.nextStatus();
      if (status === null) return this.gone;
      const signal = (status >> 8) & 0xff;
      const event = status >> 16;
      this.state = 'stopped';
      if (event === PTRACE_EVENT_STOP ? wanted === 'asked' : event === 0 && signal === (SIGTRAP | SYSGOOD)) break;
      // a signal on its way to the thread: let it through, what we have asked for still comes
      this.resume(wanted, event === 0 && signal < SYSGOOD ? signal : 0);
    }
    return true;
  }

  /** Lets it run on, up to a system call's door for 'syscall'. */
  resume(until: Stop, signal = 0): void {
    this.state = 'running';
    this.known = null;
    if (until === 'syscall') this.request('SYSCALL', PTRACE.SYSCALL, 0, signal);
    else this.request('CONT', PTRACE.CONT, 0, signal);
  }

  registers(): Registers {
    if (this.known) return this.known;
    const registers = new Registers();
    this.request('GETREGS', PTRACE.GETREGS, 0, registers.bytes);
    this.known = registers;
    return registers;
  }

  setRegisters(registers: Registers): void {
    this.request('SETREGS', PTRACE.SETREGS, 0, registers.bytes);
    this.known = registers;
  }

  /** Any other request; a thread that has been killed meanwhile is `gone`, and no error. */
  request(name: string, request: number, address: number, data: number | bigint | Buffer): number {
    try {
      return ptrace(name, request, this.tid, address, data);
    } catch (error) {
      if (!isGone(error)) throw error;
      if (this.state !== 'ended') this.state = 'killed';
      return 0;
    }
  }

  /** Lets a stopped one go; one that has not stopped, or has been killed, as soon as that is possible. */
  letGo(): void {
    if (this.isLetGo()) return;
    leftovers.set(this.tid, this);
    polling ??= setInterval(letLeftoversGo, POLL_MS).unref();
  }

  /** False: not yet. */
  isLetGo(): boolean {
    if (this.state === 'running') this.hasStopped();
    if (this.state === 'stopped') {
      const registers = this.registers();
      const resumed = asIfNotStopped(registers);
      if (resumed !== registers) this.setRegisters(resumed);
      this.request('DETACH', PTRACE.DETACH, 0, 0);
      if (!this.gone) this.state = 'ended';
    }
    // its end is of no interest to us, but to whoever waits for it
    while (this.state === 'killed' && this.nextStatus() !== null);
    return this.state === 'ended';
  }

  /** What wait(2) says of a stop; null if nothing has happened, or if it was the end. */
  private nextStatus(): number | null {
    try {
      const status = waitStatus(this.tid);
      if (status === null || (status & 0xff) === 0x7f) return status;
    } catch (error) {
      if (!(error instanceof SysError) || error.errno !== 'ECHILD') throw error;
    }
    this.state = 'ended';
    return null;
  }
}

function letLeftoversGo(): void {
  for (const [tid, tracee] of leftovers) if (tracee.isLetGo()) leftovers.delete(tid);
  if (leftovers.size > 0) return;
  clearInterval(polling);
  polling = undefined;
}

const isGone = (error: unknown): boolean => error instanceof SysError && error.errno === 'ESRCH';
