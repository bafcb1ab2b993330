// SPDX-License-Identifier: MIT
/**
 * The numbers of ptrace(2) and of x86-64 that stopping a process needs, and a thread's registers by name.
 *
 * Invariant: every number here is compared with the system's headers as gcc sees them, by tests/runtime/abi.test.ts.
 */

export const PTRACE = {
  CONT: 7,
  GETREGS: 12,
  SETREGS: 13,
  DETACH: 17,
  SYSCALL: 24,
  GETREGSET: 0x4204,
  SEIZE: 0x4206,
  INTERRUPT: 0x4207,
  GETSIGMASK: 0x420a,
  SETSIGMASK: 0x420b,
  SECCOMP_GET_FILTER: 0x420c,
} as const;

export const PTRACE_O_TRACESYSGOOD = 1;
export const PTRACE_EVENT_STOP = 128;
export const NT_X86_XSTATE = 0x202;

/** System calls that a target is made to do. */
export const REMOTE = { mmap: 9, munmap: 11, rt_sigreturn: 15, prctl: 157 } as const;

export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;
export const MAP_PRIVATE = 0x02;
export const MAP_ANONYMOUS = 0x20;
export const MAP_FIXED_NOREPLACE = 0x100000;
export const PR_SET_VMA = 0x53564d41;
export const PR_SET_VMA_ANON_NAME = 0;

/** struct user_regs_struct: eight bytes each, in this order. */
export const REGISTER_ORDER = [
  ...(['r15', 'r14', 'r13', 'r12', 'rbp', 'rbx', 'r11', 'r10', 'r9', 'r8', 'rax', 'rcx', 'rdx', 'rsi', 'rdi'] as const),
  ...(['orig_rax', 'rip', 'cs', 'eflags', 'rsp', 'ss', 'fs_base', 'gs_base', 'ds', 'es', 'fs', 'gs'] as const),
] as const;
export type Register = (typeof REGISTER_ORDER)[number];

const OFFSET = Object.fromEntries(REGISTER_ORDER.map((name, i) => [name, i * 8])) as Record<Register, number>;

/** The user-mode registers of a stopped thread. */
export class Registers {
  readonly bytes: Buffer;

  constructor(bytes: Buffer = Buffer.alloc(REGISTER_ORDER.length * 8)) {
    this.bytes = bytes;
  }

  get(name: Register): bigint {
    return this.bytes.readBigUInt64LE(OFFSET[name]);
  }

  /** As a signed number: system calls fail with small negative ones. */
  signed(name: Register): bigint {
    return this.bytes.readBigInt64LE(OFFSET[name]);
  }

  with(values: Partial<Record<Register, bigint | number>>): Registers {
    const copy = Buffer.from(this.bytes);
    for (const [name, value] of Object.entries(values))
      copy.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), OFFSET[name as Register]);
    return new Registers(copy);
  }
}
