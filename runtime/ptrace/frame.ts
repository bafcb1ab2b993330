// SPDX-License-Identifier: MIT
/**
 * A signal's frame, made by hand: with the stack pointer there, `ret` and then rt_sigreturn give a thread all its registers
 * back, its signal mask and its floating-point state, by the kernel's own code.
 *
 * It lies below everything that the thread uses, where a signal would put it as well.
 *
 *     frame:  address of `mov $15,%eax; syscall`
 *             struct ucontext, struct siginfo
 *             xsave area, on a multiple of 64
 *
 * Invariant: the thread's alternate signal stack is left as it is: what the frame says of it is invalid, which rt_sigreturn
 * passes over.
 */
import type { Register, Registers } from '../sys/ptrace.js';

export const RED_ZONE = 128;
const UCONTEXT = 8;
const FLAGS = UCONTEXT;
const ALTSTACK_FLAGS = UCONTEXT + 24;
const MCONTEXT = UCONTEXT + 40;
const SIGMASK = MCONTEXT + 256;
const SIZE = SIGMASK + 8 + 128;
const UC_FP_XSTATE = 1n;
const UC_SIGCONTEXT_SS = 2n;
const UC_STRICT_RESTORE_SS = 4n;
const NEITHER_ON_NOR_OFF = 4;

const IN_CONTEXT: readonly Register[] = [
  ...(['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rdi', 'rsi', 'rbp', 'rbx', 'rdx', 'rax', 'rcx'] as const),
  ...(['rsp', 'rip', 'eflags'] as const),
];
const SEGMENTS = MCONTEXT + IN_CONTEXT.length * 8;
const FPSTATE = SEGMENTS + 5 * 8;

const SOFTWARE = 464;
const MAGIC1 = 0x46505853;
const MAGIC2 = 0x46505845;
const XSTATE_BV = 512;
/** What a program has by default is no larger; tile registers, which would be, are asked for and not restored. */
const LARGEST_XSAVE = 2696;
const TILES = 0x60000n;

export interface Frame {
  /** Where the stack pointer has to be. */
  readonly address: number;
  readonly bytes: Buffer;
}

/** A frame below `below` that restores `registers`, `sigmask` (8 bytes), and `xsave` as ptrace gives it. */
export function signalFrame(
  below: number,
  restorer: number,
  registers: Registers,
  sigmask: Buffer,
  xsave: Buffer,
): Frame {
  const floating = floatingPoint(xsave);
  const state = Math.floor((below - floating.length) / 64) * 64;
  // as in a function that has just been called: 8 off a multiple of 16
  const address = Math.floor((state - SIZE) / 16) * 16 - 8;
  const bytes = Buffer.alloc(state + floating.length - address);
  bytes.writeBigUInt64LE(BigInt(restorer), 0);
  bytes.writeBigUInt64LE(UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS, FLAGS);
  bytes.writeUInt32LE(NEITHER_ON_NOR_OFF, ALTSTACK_FLAGS);
  for (const [i, name] of IN_CONTEXT.entries()) bytes.writeBigUInt64LE(registers.get(name), MCONTEXT + i * 8);
  bytes.writeUInt16LE(Number(registers.get('cs')), SEGMENTS);
  bytes.writeUInt16LE(Number(registers.get('ss')), SEGMENTS + 6);
  bytes.writeBigUInt64LE(BigInt(state), FPSTATE);
  sigmask.copy(bytes, SIGMASK);
  floating.copy(bytes, state - address);
  return { address, bytes };
}

/** The xsave area as a signal's frame has it: with its size in the part that is left to software, and a mark behind it. */
function floatingPoint(xsave: Buffer): Buffer {
  const features = xsave.readBigUInt64LE(SOFTWARE) & ~TILES;
  const size = Math.min(xsave.length, LARGEST_XSAVE);
  const area = Buffer.alloc(size + 4);
  xsave.copy(area, 0, 0, size);
  area.fill(0, SOFTWARE, XSTATE_BV);
  area.writeUInt32LE(MAGIC1, SOFTWARE);
  area.writeUInt32LE(size + 4, SOFTWARE + 4);
  area.writeBigUInt64LE(features, SOFTWARE + 8);
  area.writeUInt32LE(size, SOFTWARE + 16);
  area.writeBigUInt64LE(area.readBigUInt64LE(XSTATE_BV) & features, XSTATE_BV);
  area.writeUInt32LE(MAGIC2, size);
  return area;
}
