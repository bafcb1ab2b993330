// SPDX-License-Identifier: MIT
/**
 * Accesses to thread-local variables by their distance from the thread pointer, which is a plain number in the code. While the layout stays,
 * equal numbers mean equal variables. Once it moves, the same number may be another variable.
 */
import type { Instruction } from '../core/instruction.js';
import { viewOf } from '../elf/symbols.js';
import { blockSize, threadVariables, variableAt, variableKey } from '../elf/thread-local.js';
import type { CodeFunction } from '../match/functions.js';
import type { Context } from './context.js';
import type { Side } from './side.js';

/**
 * Distance from the thread pointer, as a link-time number, or null. Variables of a program lie below it. 0 is the pointer itself, whose
 * distances follow. What is above it, the stack protector's canary for one, is libc's; and where a register says how far, it has come from a slot.
 */
export function accessOf(
  fn: CodeFunction,
  { prefixes, displacementSize, displacementAt, offset, modrm }: Instruction,
): number | null {
  if ((prefixes & 1) === 0 || displacementSize !== 4) return null;
  const distance = viewOf(fn.section.bytes).getInt32(fn.address - fn.section.address + offset + displacementAt, true);
  if (distance > 0) return null;
  // without a base the pointer itself is read; with one a slot's content is the distance
  return distance < 0 || (modrm & 0xc7) === 4 ? distance : null;
}

const moved = new WeakMap<Context, boolean>();

/** Whether any variable lies at another distance in the new file. */
export function threadLayoutMoved(context: Context): boolean {
  let answer = moved.get(context);
  if (answer === undefined) {
    const layout = ({ image }: Side) =>
      threadVariables(image)
        .map((one) => `${variableKey(one)} ${one.offset - blockSize(image)}`)
        .join();
    answer = layout(context.before) !== layout(context.after);
    moved.set(context, answer);
  }
  return answer;
}

/** Whether two instructions that access a variable directly access the same one; true for all others. */
export function sameThreadVariable(
  { before, after }: Context,
  a: CodeFunction,
  x: Instruction,
  b: CodeFunction,
  y: Instruction,
): boolean {
  const [old, now] = [accessOf(a, x), accessOf(b, y)];
  if (old === null || now === null || old === 0 || now === 0) return true;
  const name = ({ image }: Side, distance: number): string => {
    const offset = distance + blockSize(image);
    const variable = variableAt(threadVariables(image), offset);
    return variable === null ? `${distance}` : `${variableKey(variable)}+${offset - variable.offset}`;
  };
  return name(before, old) === name(after, now);
}
