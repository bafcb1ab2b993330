// SPDX-License-Identifier: MIT
/**
 * What a thread's seccomp filters would say to a system call, found out before the call is made: a filter may end the process for
 * one that it does not know.
 *
 * A filter is a program for the classic BPF machine (struct sock_filter: code:u16 jt:u8 jf:u8 k:u32), run over struct
 * seccomp_data. It cannot loop: jumps go forwards only. Whatever is not understood counts as a refusal.
 */

export interface FilteredCall {
  readonly number: number;
  readonly arguments: readonly (number | bigint)[];
  /** Where the call comes from: the address behind the `syscall` instruction. */
  readonly from: number;
}

const AUDIT_ARCH_X86_64 = 0xc000003e;
const RET_ALLOW = 0x7fff0000;
const RET_LOG = 0x7ffc0000;
const ACTION = 0xffff0000;

/** Do all of `filters` let the call pass? */
export function areContent(filters: readonly Buffer[], call: FilteredCall): boolean {
  return filters.every((filter) => {
    const action = ((runFilter(filter, dataOf(call)) ?? 0) & ACTION) >>> 0;
    return action === RET_ALLOW || action === RET_LOG;
  });
}

/** struct seccomp_data */
function dataOf({ number, arguments: list, from }: FilteredCall): Buffer {
  const data = Buffer.alloc(64);
  data.writeInt32LE(number, 0);
  data.writeUInt32LE(AUDIT_ARCH_X86_64, 4);
  data.writeBigUInt64LE(BigInt(from), 8);
  for (const [i, value] of list.entries()) data.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), 16 + i * 8);
  return data;
}

const INSTRUCTION = 8;

/** What the filter returns; null if it does what filters cannot. */
export function runFilter(filter: Buffer, data: Buffer): number | null {
  const memory = new Uint32Array(16);
  let a = 0;
  let x = 0;
  for (let at = 0; at + INSTRUCTION <= filter.length; at += INSTRUCTION) {
    const code = filter.readUInt16LE(at);
    const k = filter.readUInt32LE(at + 4);
    const operand = code & 0x08 ? x : k;
    switch (code & 0x07) {
      case 0x00: // LD
      case 0x01: {
        const value = loaded(code & 0xf8, k, data, memory);
        if (value === null) return null;
        if (code & 0x01) x = value;
        else a = value;
        break;
      }
      case 0x02: // ST
        memory[k & 15] = a;
        break;
      case 0x03: // STX
        memory[k & 15] = x;
        break;
      case 0x04: {
        const value = computed(code & 0xf0, a, operand);
        if (value === null) return null;
        a = value;
        break;
      }
      case 0x05: {
        const taken = jumps(code & 0xf0, a, operand);
        if (taken === null) return null;
        at += INSTRUCTION * ((code & 0xf0) === 0 ? k : filter[at + (taken ? 2 : 3)]!);
        break;
      }
      case 0x06: // RET
        return code & 0x10 ? a : k;
      default: // TAX, TXA
        if (code & 0x80) a = x;
        else x = a;
    }
  }
  return null;
}

function loaded(mode: number, k: number, data: Buffer, memory: Uint32Array): number | null {
  if (mode === 0x20) return k % 4 === 0 && k + 4 <= data.length ? data.readUInt32LE(k) : null;
  if (mode === 0x00) return k;
  if (mode === 0x60) return memory[k & 15]!;
  if (mode === 0x80) return data.length;
  return null;
}

function computed(operation: number, a: number, by: number): number | null {
  const shift = by & 31;
  const results: Readonly<Record<number, () => number>> = {
    0: () => a + by,
    16: () => a - by,
    32: () => Math.imul(a, by),
    48: () => (by === 0 ? 0 : Math.floor(a / by)),
    64: () => a | by,
    80: () => a & by,
    96: () => (by > 31 ? 0 : a << shift),
    112: () => (by > 31 ? 0 : a >>> shift),
    128: () => -a,
    144: () => (by === 0 ? 0 : a % by),
    160: () => a ^ by,
  };
  const result = results[operation];
  return result ? result() >>> 0 : null;
}

function jumps(condition: number, a: number, by: number): boolean | null {
  if (condition === 0x00) return true;
  if (condition === 0x10) return a === by;
  if (condition === 0x20) return a > by;
  if (condition === 0x30) return a >= by;
  if (condition === 0x40) return (a & by) !== 0;
  return null;
}
