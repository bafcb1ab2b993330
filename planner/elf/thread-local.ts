// SPDX-License-Identifier: MIT
/**
 * Thread-local variables: where each lies in its object's block, and how far from the thread pointer if the object is a program.
 * Facts: "ELF Handling For Thread-Local Storage", variant II: the program's block ends at the thread pointer.
 */
import type { ElfImage } from './image.js';
import { isThreadLocal } from './sections.js';
import { STT_TLS } from './symbols.js';

export interface ThreadVariable {
  readonly name: string;
  /** STT_FILE of a local one: with the name it says which it is. */
  readonly file: string | null;
  /** From the start of the block. */
  readonly offset: number;
  readonly size: number;
}

const known = new WeakMap<ElfImage, readonly ThreadVariable[]>();

/** In order of offset. */
export function threadVariables(image: ElfImage): readonly ThreadVariable[] {
  let variables = known.get(image);
  if (variables === undefined) {
    variables = image.symbolTable
      .ofType(STT_TLS)
      .filter(({ section, name }) => section !== 0 && name !== '_TLS_MODULE_BASE_')
      .map(({ name, file, value, size }) => ({ name, file, offset: value, size }))
      .sort((a, b) => a.offset - b.offset || (a.name < b.name ? -1 : 1));
    known.set(image, variables);
  }
  return variables;
}

/** The variable that holds `offset` of the block, or starts there. */
export const variableAt = (variables: readonly ThreadVariable[], offset: number): ThreadVariable | null =>
  variables.find((one) => offset >= one.offset && offset < one.offset + Math.max(1, one.size)) ?? null;

/** What both files call the same variable. */
export const variableKey = ({ name, file }: ThreadVariable): string => (file === null ? name : `${file}: ${name}`);

/** Size of the block, as far as the thread pointer: what is subtracted from an offset in a program. */
export function blockSize(image: ElfImage): number {
  const sections = image.sections.filter(isThreadLocal);
  if (sections.length === 0) return 0;
  const start = Math.min(...sections.map(({ address }) => address));
  const end = Math.max(...sections.map(({ address, size }) => address + size));
  const align = Math.max(...sections.map((section) => section.align));
  return Math.ceil((end - start) / align) * align;
}
