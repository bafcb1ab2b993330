// SPDX-License-Identifier: MIT
/**
 * The safety check for a stopped thread: may its text change now? The kernel's check for a view (kernel-tree/mm/mmview/check.c),
 * from outside.
 *
 * Conservative in one direction only. Any word from the stack pointer to the end of the stack's mapping that could be a return
 * address into a guard counts as one, whether a frame is there or not. What cannot be seen is unsafe: a stack that cannot be
 * read or is deeper than is searched, one that a signal's frame leaves for another stack, a thread under a uprobe.
 *
 * From outside nobody can ask for a thread's alternate signal stack, nor for what its signal handlers return to: every signal's
 * frame is recognised by its looks instead, with an address of code where the handler returns to.
 */
import type { GuardRange } from '../guards.js';
import { type Mapping, mappingAt } from '../proc/maps.js';
import type { Consistency } from '../record.js';
import { GUARD_CHANGED, type Why } from '../sys/abi.js';
import type { Registers } from '../sys/ptrace.js';

export interface Verdict {
  readonly why: Why;
  /** For 'pc' and 'stack': the address that lies in a guard. */
  readonly where: number;
  /** For 'stack': where on the stack it was found. */
  readonly slot?: number;
}

/** A guard that counts, and whether its end may be a return address: that of a call which is the last instruction. */
export interface CheckedRange extends GuardRange {
  readonly last: boolean;
}

/** Those of `guards` that count, looked at while there is time. */
export function checkedRanges(
  guards: readonly GuardRange[],
  consistency: Consistency,
  read: (address: number, length: number) => Buffer | null,
): CheckedRange[] {
  return guards
    .filter(({ kind }) => consistency === 'strict' || kind === GUARD_CHANGED)
    .map((range) => ({ ...range, last: range.kind !== GUARD_CHANGED && mayEndInCall(read(range.end - 7, 7)) }));
}

/** call rel32, or call r/m in any of its lengths. */
function mayEndInCall(tail: Buffer | null): boolean {
  if (!tail || tail[2] === 0xe8) return true;
  return [0, 1, 3, 4, 5].some((at) => tail[at] === 0xff && (tail[at + 1]! & 0x38) === 0x10);
}

export interface Surroundings {
  readonly maps: readonly Mapping[];
  readonly guards: readonly CheckedRange[];
  /** The target's memory; null where it cannot be read. */
  readonly read: (address: number, length: number) => Buffer | null;
}

const WORD = 8;
const MAX_STACK = 8 << 20;
const USER_CS = 0x33;
const USER_END = 2 ** 47;

/** Null: it is safe. */
export function checkThread(registers: Registers, around: Surroundings): Verdict | null {
  const { maps, guards } = around;
  const pc = Number(registers.get('rip'));
  // pc - 2 as well: a system call that is begun anew runs again from there
  const inside = (at: number) => guards.some(({ start, end }) => at >= start && at < end);
  if (inside(pc) || inside(pc - 2)) return { why: 'pc', where: pc };
  if (Number(registers.get('cs')) !== USER_CS) return { why: 'stack-unreadable', where: 0 };
  if (mappingAt(maps, pc)?.path === UPROBES) return { why: 'uprobe', where: 0 };

  const sp = Math.ceil(Number(registers.get('rsp')) / WORD) * WORD;
  const end = mappingAt(maps, sp)?.end;
  if (end === undefined || end - sp > MAX_STACK) return { why: 'stack-unreadable', where: 0 };
  // a handler that is about to return has popped the first word of its frame
  const from = mappingAt(maps, sp - WORD)?.end === end ? sp - WORD : sp;
  const bytes = around.read(from, end - from);
  if (!bytes) return { why: 'stack-unreadable', where: 0 };
  return checkWords({ bytes, from, sp, end, ...around });
}

const UPROBES = '[uprobes]';

interface Stack extends Surroundings {
  /** The bytes from `from`, a word below `sp` if there is one. */
  readonly bytes: Buffer;
  readonly from: number;
  readonly sp: number;
  readonly end: number;
}

function checkWords(stack: Stack): Verdict | null {
  const { bytes, from, sp, guards, maps } = stack;
  const uprobes = maps.find(({ path }) => path === UPROBES);
  const low = Math.min(...guards.map(({ start }) => start), (uprobes?.start ?? Number.POSITIVE_INFINITY) - 1);
  const high = Math.max(...guards.map(({ end }) => end), uprobes?.end ?? 0);
  const halves = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  for (let i = 0; i < halves.length; i += 2) {
    const word = halves[i + 1]! * 2 ** 32 + halves[i]!;
    const at = from + i * 4;
    if ((halves[i]! & 0xffff) === USER_CS && leavesStack(stack, at)) return { why: 'signal-stack', where: 0 };
    if (word <= low || word > high || at < sp) continue;
    if (uprobes && word >= uprobes.start && word < uprobes.end) return { why: 'uprobe', where: 0 };
    // A return address is behind the call: never a range's first byte, that is a function pointer.
    if (guards.some(({ start, end, last }) => word > start && (word < end || (word === end && last))))
      return { why: 'stack', where: word, slot: at };
  }
  return null;
}

/** struct rt_sigframe: where its parts are, counted from the word that holds the code segment. */
const FRAME = -(8 + 40 + 18 * WORD);
const UC_FLAGS = FRAME + 8;
const UC_LINK = FRAME + 16;
const SAVED_SP = -3 * WORD;
const SAVED_IP = -2 * WORD;
const FRAME_SIZE = 440;

/** Is the word at `at` in a signal's frame, which has interrupted another stack than this one? */
function leavesStack({ bytes, from, end, maps }: Stack, at: number): boolean {
  const frame = at + FRAME;
  if (frame < from || frame + FRAME_SIZE > end) return false;
  const word = (offset: number) => Number(bytes.readBigUInt64LE(at + offset - from));
  const looksLikeOne =
    word(UC_FLAGS) <= 7 && word(UC_LINK) === 0 && word(SAVED_IP) < USER_END && word(SAVED_SP) < USER_END;
  if (!looksLikeOne || !mappingAt(maps, word(FRAME))?.execute) return false;
  return word(SAVED_SP) <= frame || word(SAVED_SP) > end;
}
