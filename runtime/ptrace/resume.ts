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

/** mov imm32,%eax; syscall */
const MOV_EAX = 0xb8;
const MOV_SIZE = 5;
const SYSCALL = Buffer.from([0x0f, 0x05]);
const RESTART_SYSCALL = 219n;

/** The code around pc that tells which call is made there: bytes before pc, and in all. */
export const CODE_BEFORE_PC = MOV_SIZE + SYSCALL.length;
export const CODE_SIZE = CODE_BEFORE_PC + SYSCALL.length;

/**
 * How a thread comes back to a sleep that the kernel keeps for it (until when it lasts; restart_block in the kernel). Either it has
 * left the sleep, or it is on its way back already: the kernel has put it at its `syscall` with another call in rax.
 */
function sleepOf(registers: Registers, code: Buffer | null): 'left' | 'on its way back' | null {
  const [call, result] = [registers.signed('orig_rax'), registers.signed('rax')];
  if (call >= 0n && result === ERESTART_RESTARTBLOCK) return 'left';
  return result === RESTART_SYSCALL && code?.subarray(CODE_BEFORE_PC).equals(SYSCALL) ? 'on its way back' : null;
}

/** Does the kernel keep more about the call than registers do: until when it sleeps? `code` is what stands around pc. */
export const sleepsUntil = (registers: Registers, code: Buffer | null): boolean => sleepOf(registers, code) !== null;

/**
 * The registers with which the thread begins its call anew by itself, without the kernel's help. A sleep that has been
 * interrupted before is not in them any more: `code` tells which call it was, if that is how it was made; null if not.
 */
export function begunAnew(registers: Registers, code: Buffer | null): Registers | null {
  const call = registers.signed('orig_rax');
  const sleep = sleepOf(registers, code);
  if (sleep === 'on its way back') {
    const rax = call >= 0n && call !== RESTART_SYSCALL ? call : callBefore(code, CODE_BEFORE_PC);
    return rax === null ? null : registers.with({ rax });
  }
  if (call < 0n || !BEGUN_ANEW.has(registers.signed('rax'))) return registers;
  const rax = call === RESTART_SYSCALL ? callBefore(code, CODE_BEFORE_PC - SYSCALL.length) : call;
  return rax === null ? null : registers.with({ rax, rip: registers.get('rip') - BigInt(SYSCALL.length) });
}

/** The call that code makes whose `syscall` is at `at`. */
const callBefore = (code: Buffer | null, at: number): bigint | null =>
  code?.[at - MOV_SIZE] === MOV_EAX ? BigInt(code.readUInt32LE(at - MOV_SIZE + 1)) : null;
