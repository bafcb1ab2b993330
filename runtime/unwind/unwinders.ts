// SPDX-License-Identifier: MIT
/**
 * The unwinders of a process: each libgcc in it, and what its _Unwind_Find_FDE begins with.
 *
 * A shared libgcc_s exports the function, with the version that GCC gives it; a program that was linked with -static-libgcc has
 * its own, and only its symbol table names it: the planner puts that into the patch. Refused, before anything is written: a
 * process whose exceptions another unwinder throws (LLVM's and nongnu's libunwind have the same names, and ways of
 * their own), and a beginning that cannot be moved.
 */
import {
  type Instruction,
  instructions,
  isBranch,
  loadedAt,
  type Patch,
  type RunAddress,
  runAddress,
} from '../../planner/index.js';
import { counted, hex, RuntimeError } from '../errors.js';
import type { Identified } from '../identify.js';
import { DynamicObject } from '../proc/dynamic.js';
import type { Process } from '../proc/process.js';
import { scopeOf } from '../scope.js';
import type { Text } from '../texts.js';
import { type Continuation, FAR_JUMP_SIZE, farJumpTarget } from './finder.js';

/** Bytes that stand at a place in the process. */
export interface Jump {
  readonly at: RunAddress;
  readonly bytes: Uint8Array;
}

export interface Unwinder extends Continuation {
  /** Where the jump to the arena goes: the function's entry, or behind its endbr64. */
  readonly at: RunAddress;
  /** The FAR_JUMP_SIZE bytes that stand there. */
  readonly original: Uint8Array;
}

const FIND = '_Unwind_Find_FDE';
const RAISE = '_Unwind_RaiseException';
/** Of both in libgcc_s (gcc, libgcc/libgcc-std.ver.in); others have none. */
const VERSION = 'GCC_3.0';
const ENDBR64 = Buffer.from('f30f1efa', 'hex');
/** Bytes of the function that are looked through for jumps back to its beginning. */
const LOOKED_AT = 1024;

/** As they stand in `text`. `ours`: jumps that patches carried already have put there. */
export function findUnwinders(
  text: Text,
  process: Process,
  patch: Patch,
  { target, objects }: Identified,
  ours: readonly Jump[],
): Unwinder[] {
  if (patch.unwind.length === 0) return [];
  const entries = new Set<RunAddress>();
  for (const { name, binding } of patch.symbols)
    if (name === FIND && binding.kind === 'target') entries.add(loadedAt(binding.address, target.bias));

  const { ordered, others } = scopeOf(process, objects, target);
  const thrower = [...ordered, ...others].find((object) => object.lookup(RAISE, null));
  if (entries.size === 0 && thrower && !inLibgcc(thrower))
    throw cannot(process, patch, `${thrower.object.name} unwinds in a way of its own`);
  for (const object of objects) {
    const symbol = inLibgcc(new DynamicObject(process, object));
    if (symbol) entries.add(runAddress(symbol.value));
  }
  if (entries.size === 0) throw cannot(process, patch, 'it has no libgcc, or one without symbols');
  return [...entries].map((entry) => {
    const unwinder = readUnwinder(text, entry, ours);
    if (typeof unwinder === 'string') throw cannot(process, patch, `${FIND} at ${hex(entry)} ${unwinder}`);
    return unwinder;
  });
}

const inLibgcc = (object: DynamicObject) => (object.hasVersions ? object.lookup(FIND, VERSION) : null);

/** Or why it cannot be led through the arena. */
function readUnwinder(text: Text, entry: RunAddress, ours: readonly Jump[]): Unwinder | string {
  const code = text(entry, LOOKED_AT);
  if (!code) return 'cannot be read';
  const skip = code.subarray(0, ENDBR64.length).equals(ENDBR64) ? ENDBR64.length : 0;
  const at = runAddress(entry + skip);
  const original = code.subarray(skip, skip + FAR_JUMP_SIZE);
  const known = ours.find((jump) => jump.at === at && original.equals(jump.bytes));
  if (known) return { at, original, displaced: new Uint8Array(0), next: farJumpTarget(known.bytes) };

  const all = instructions(code.subarray(skip));
  const end = all.find(({ offset, length }) => offset + length >= FAR_JUMP_SIZE);
  if (!end) return 'begins with code that is not known';
  const size = end.offset + end.length;
  if (!all.filter(({ offset }) => offset < size).every(isMovable))
    return 'begins with code that works only where it is';
  const back = all.find(
    ({ kind, offset, length, distance }) =>
      isBranch(kind) && offset + length + distance > 0 && offset + length + distance < size,
  );
  if (back) return `comes back to its beginning at +${hex(skip + back.offset)}`;
  return { at, original, displaced: code.subarray(skip, skip + size), next: runAddress(at + size) };
}

/** Does the same anywhere, and what follows it comes next: what functions begin with, and nothing relative to itself. */
const isMovable = ({ opcode, fieldSize }: Instruction): boolean => fieldSize === 0 && MOVABLE.has(opcode);

/** push; add, sub, xor, test, mov and lea in their usual forms (Intel SDM volume 2, opcode map of one byte). */
const MOVABLE: ReadonlySet<number> = new Set([
  ...[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
  ...[0x01, 0x03, 0x29, 0x2b, 0x31, 0x33, 0x81, 0x83, 0x85, 0x89, 0x8b, 0x8d, 0xc7],
  ...[0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf],
]);

const cannot = (process: Process, { unwind: [first, ...others] }: Patch, why: string) =>
  new RuntimeError('UNWIND_UNREGISTERED', {
    pid: process.pid,
    functions: others.length === 0 ? first! : `${first} (and ${counted(others.length, 'other')})`,
    why,
  });
