// SPDX-License-Identifier: MIT
/**
 * Whether a function's parameter is a line number, by the name that debugging information has for it. Clones of a function have other
 * parameters than it says, and what comes behind a parameter of another kind than a number or a pointer is in a register that nobody knows here.
 */
import { type DebugInfo, debugInfoOf } from '../elf/dwarf/debug-info.js';
import { TAG } from '../elf/dwarf/names.js';
import { shapeOf } from '../elf/dwarf/type-text.js';
import type { ElfImage } from '../elf/image.js';
import type { CodeFunction } from '../match/functions.js';

/** rdi, rsi, rdx, rcx, r8, r9 */
const REGISTERS = [7, 6, 2, 1, 8, 9];
const NAMES = /lin|lno/i;
const IN_A_REGISTER = /^(int[1248]|pointer)$/;

/** Null if nothing is known about what `fn` takes in `register`. */
export function takesLine(image: ElfImage, fn: CodeFunction, register: number): boolean | null {
  const info = debugInfoOf(image);
  const place = REGISTERS.indexOf(register);
  if (info === null || place < 0 || fn.name.includes('.')) return null;
  const parameters = parametersOf(info, fn.address).slice(0, place + 1);
  const known = parameters.length === place + 1 && parameters.every(({ type }) => IN_A_REGISTER.test(type));
  return known ? NAMES.test(parameters[place]!.name) : null;
}

function parametersOf(info: DebugInfo, address: number): { name: string; type: string }[] {
  const entry = info.functionAt(address);
  if (entry === null) return [];
  const named = info.chain(entry).find(({ children }) => children.some(isNamed)) ?? entry;
  return named.children.filter(isParameter).map(({ name, type }) => ({ name, type: shapeOf(info, type).text }));
}

const isParameter = ({ tag }: { tag: number }): boolean => tag === TAG.formalParameter;
const isNamed = (entry: { tag: number; name: string }): boolean => isParameter(entry) && entry.name !== '';
