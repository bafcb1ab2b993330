// SPDX-License-Identifier: MIT
/**
 * One thread of the target under ptrace, from seizing it to letting it go.
 *
 *     seized, asked to stop -> stopped -> let go          (or gone: it has ended meanwhile)
 *
 * Invariants: a signal that comes meanwhile is passed on, never lost. A thread that does not stop in time (a vfork parent,
 * one that waits for a disk) is not left behind asked to stop: `abandon` lets it go as soon as it does. Should we end, the
 * kernel lets go of all. All requests come from one thread of ours, the one that has seized.
 */
import { ptrace, SysError, waitStatus } from '../sys/calls.js';
import { PTRACE, PTRACE_EVENT_STOP, PTRACE_O_TRACESYSGOOD, Registers } from '../sys/ptrace.js';
import { asIfNotStopped } from './resume.js';

const SIGTRAP = 5;
const SYSGOOD = 0x80;
const ABANDONED_POLL_MS = 2;

export type Stop = 'asked' | 'syscall';

export class Tracee {
  readonly tid: number;
  /** It has ended, or was never there. */
  gone = false;
  private stopped = false;
  private known: Registers | null = null;

  private constructor(tid: number) {
    this.tid = tid;
  }

  /** Begins to trace `tid` and asks it to stop. Null: it has ended. */
  static seize(tid: number): Tracee | null {
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

  /** Looks whether it has come to a stop of this kind (or has ended): true if so. Does not wait. */
  hasStopped(wanted: Stop = 'asked'): boolean {
    while (!this.stopped && !this.gone) {
      const status = this.status();
      if (status === null) return false;
      if ((status & 0xff) !== 0x7f) {
        this.gone = true;
        break;
      }
      const signal = (status >> 8) & 0xff;
      const event = status >> 16;
      this.stopped = true;
      if (event === PTRACE_EVENT_STOP ? wanted === 'asked' : event === 0 && signal === (SIGTRAP | SYSGOOD)) break;
      // a signal on its way to the thread: let it through, what we have asked for still comes
      this.resume(wanted, event === 0 && signal < SYSGOOD ? signal : 0);
    }
    return true;
  }

  /** Lets it run on, up to a system call's door for 'syscall'. */
  resume(until: Stop, signal = 0): void {
    this.stopped = false;
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
      this.gone = true;
      return 0;
    }
  }

  /** Lets a stopped one go, and one that has not stopped yet as soon as it does. */
  letGo(): void {
    if (this.stopped || this.gone || this.hasStopped()) this.detach();
    else this.abandon();
  }

  private detach(): void {
    const registers = this.registers();
    const resumed = asIfNotStopped(registers);
    if (resumed !== registers) this.setRegisters(resumed);
    if (!this.gone) this.request('DETACH', PTRACE.DETACH, 0, 0);
    this.gone = true;
  }

  private abandon(): void {
    const timer = setInterval(() => {
      if (!this.hasStopped()) return;
      clearInterval(timer);
      this.detach();
    }, ABANDONED_POLL_MS);
    timer.unref();
  }

  private status(): number | null {
    try {
      return waitStatus(this.tid);
    } catch (error) {
      if (!(error instanceof SysError) || error.errno !== 'ECHILD') throw error;
      this.gone = true;
      return null;
    }
  }
}

const isGone = (error: unknown): boolean => error instanceof SysError && error.errno === 'ESRCH';
