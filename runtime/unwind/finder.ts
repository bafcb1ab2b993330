// SPDX-License-Identifier: MIT
/**
 * Code in the arena that an unwinder asks first: which frame description belongs to a place in new code?
 *
 * libgcc's unwinder finds the description of every frame, for exceptions, thread cancellation and backtraces alike, with
 *
 *     const fde *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases { void *tbase, *dbase, *func; } *bases)
 *
 * (libgcc/unwind-dw2-fde.h). It knows the objects that the loader has mapped, and what has been registered by a call in the
 * process. We call nothing in the process: its first instructions become a jump to here, in the view as all detours. A place
 * in the arena is looked up in a table; any other goes on where it would have gone.
 *
 * Invariant: works at any address, writes nothing but `bases`, and changes only registers that a called function may change.
 */
import { type RunAddress, runAddress } from '../../planner/index.js';
import type { DescribedFunction } from './frames.js';

/** How an unwinder's function goes on as if nothing had been there: whole instructions that work anywhere, then a jump. */
export interface Continuation {
  readonly displaced: Uint8Array;
  readonly next: RunAddress;
}

export interface Finder {
  readonly bytes: Buffer;
  /** For each continuation, the offset in `bytes` where its function's jump leads. */
  readonly entries: readonly number[];
}

/** jmp *0(%rip), then the address: reaches everything, and needs no register. */
export const FAR_JUMP_SIZE = 14;

export function farJump(to: RunAddress): Buffer {
  const bytes = Buffer.alloc(FAR_JUMP_SIZE);
  bytes.writeUInt16BE(0xff25);
  bytes.writeBigUInt64LE(BigInt(to), 6);
  return bytes;
}

export const farJumpTarget = (bytes: Uint8Array): RunAddress =>
  runAddress(Number(Buffer.from(bytes).readBigUInt64LE(6)));

const ENTRY_ALIGN = 16;

/** `offset`: where the finder will stand, from the start of the arena, whose code part has `codeSize` bytes. */
export function makeFinder(
  offset: number,
  codeSize: number,
  functions: readonly DescribedFunction[],
  continuations: readonly Continuation[],
): Finder {
  const table = Buffer.from(
    Uint32Array.from(functions.flatMap(({ start, end, record }) => [start, end, record])).buffer,
  );
  let bytes = Buffer.concat([table, search(table.length, functions.length)]);
  const entries = continuations.map((continuation) => {
    bytes = Buffer.concat([bytes, Buffer.alloc(-bytes.length & (ENTRY_ALIGN - 1), INT3)]);
    const at = bytes.length;
    bytes = Buffer.concat([bytes, entry(offset + at, codeSize, table.length - at, continuation)]);
    return at;
  });
  return { bytes, entries };
}

const INT3 = 0xcc;

/** `at`: where it stands in the arena; `searchAt`: where the search does, from here. */
const entry = (at: number, codeSize: number, searchAt: number, { displaced, next }: Continuation): Buffer =>
  Buffer.concat([
    code('f30f1efa'), //                                  endbr64
    code('488d05', -(at + 11)), //                        lea arena(%rip), %rax
    code('4889f9'), //                                    mov %rdi, %rcx
    code('4829c1'), //                                    sub %rax, %rcx
    code('4881f9', codeSize), //                          cmp $codeSize, %rcx
    code('0f82', searchAt - 30), //                       jb search
    displaced,
    farJump(next),
  ]);

/**
 * %rax is the arena, %ecx the place as an offset, %rsi the bases. Gives the description, or null, which ends the unwinding: nobody
 * else knows of code in the arena. The table stands `tableSize` bytes ahead.
 */
const search = (tableSize: number, count: number): Buffer =>
  Buffer.concat([
    code('4c8d05', -(tableSize + 7)), //                  lea table(%rip), %r8
    code('41b9', count), //                               mov $count, %r9d
    code('4585c9'), //                              loop: test %r9d, %r9d
    code('7414'), //                                      je none
    code('413b08'), //                                    cmp (%r8), %ecx
    code('7206'), //                                      jb next
    code('413b4804'), //                                  cmp 4(%r8), %ecx
    code('720c'), //                                      jb found
    code('4983c00c'), //                            next: add $12, %r8
    code('41ffc9'), //                                    dec %r9d
    code('ebe7'), //                                      jmp loop
    code('31c0c3'), //                              none: xor %eax, %eax; ret
    code('48c70600000000'), //                     found: movq $0, (%rsi)       bases->tbase
    code('48c7460800000000'), //                          movq $0, 8(%rsi)      bases->dbase
    code('418b08'), //                                    mov (%r8), %ecx
    code('4801c1'), //                                    add %rax, %rcx
    code('48894e10'), //                                  mov %rcx, 16(%rsi)    bases->func
    code('418b4808'), //                                  mov 8(%r8), %ecx
    code('4801c8c3'), //                                  add %rcx, %rax; ret
  ]);

/** Bytes in hex, and behind them 32 bits. */
function code(hex: string, field?: number): Buffer {
  const bytes = Buffer.from(hex, 'hex');
  if (field === undefined) return bytes;
  const value = Buffer.alloc(4);
  value.writeInt32LE(field);
  return Buffer.concat([bytes, value]);
}
