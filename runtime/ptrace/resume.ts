// SPDX-License-Identifier: MIT
/**
 * How an interrupted system call goes on.
 *
 * A thread that is stopped in a blocking call has left it: its registers say how the kernel means to go on once it runs
 * again. Most calls are begun anew without the program's noticing. Some are not, though no signal was there to be handled:
 * they would give EINTR to a program that sees no reason for it. For those that have done nothing yet, we say what the others
 * say: begin anew, unless there is a handler to be run.
 *
 * Refused: calls that may have done a part of their work (close, connect) keep their EINTR.
 */
import type { Registers } from '../sys/ptrace.js';

const EINTR = -4n;
const ERESTARTSYS = -512n;
const ERESTARTNOINTR = -513n;
const ERESTARTNOHAND = -514n;
const ERESTART_RESTARTBLOCK = -516n;
const BEGUN_ANEW: ReadonlySet<bigint> = new Set([ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK]);

/** `syscall` is two bytes long. */
const SYSCALL_SIZE = 2n;

const INNOCENT: ReadonlySet<bigint> = new Set(
  Object.values({
    ...{ read: 0, write: 1, readv: 19, writev: 20, accept: 43, sendto: 44, recvfrom: 45, sendmsg: 46, recvmsg: 47 },
    ...{ semop: 65, rt_sigtimedwait: 128, io_getevents: 208, semtimedop: 220, epoll_wait: 232, epoll_pwait: 281 },
    ...{ accept4: 288, recvmmsg: 299, sendmmsg: 307, io_uring_enter: 426, epoll_pwait2: 441 },
  }).map(BigInt),
);

/** The registers with which a thread goes on as if it had not been stopped; the same object if they are as they should be. */
export function asIfNotStopped(registers: Registers): Registers {
  const interrupted = registers.signed('rax') === EINTR && INNOCENT.has(registers.signed('orig_rax'));
  return interrupted ? registers.with({ rax: ERESTARTNOHAND }) : registers;
}

/** Does the kernel keep more about the call than registers do: until when it sleeps? */
export const sleepsUntil = (registers: Registers): boolean =>
  registers.signed('orig_rax') >= 0n && registers.signed('rax') === ERESTART_RESTARTBLOCK;

/** Bytes before pc that tell which call it was. */
export const CALL_BEFORE_PC = 7;
const RESTART_SYSCALL = 219n;
/** mov imm32,%eax */
const MOV_EAX = 0xb8;

/**
 * The registers with which the thread begins its call anew by itself, without the kernel's help. A sleep that has been
 * interrupted before is not in them any more: `code`, the bytes before pc, tells which call it was, if that is how it was made.
 */
export function begunAnew(registers: Registers, code: Buffer | null): Registers {
  const call = registers.signed('orig_rax');
  if (call < 0n || !BEGUN_ANEW.has(registers.signed('rax'))) return registers;
  const told = call === RESTART_SYSCALL && code?.[0] === MOV_EAX ? BigInt(code.readUInt32LE(1)) : call;
  return registers.with({ rax: told, rip: registers.get('rip') - SYSCALL_SIZE });
}
