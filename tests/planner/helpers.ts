// SPDX-License-Identifier: MIT
/** What several planner suites need: fixtures compiled on the spot, golden files, and the shared corpus if it is there. */
import type { ElfImage } from '../../planner/elf/image.js';

/** The bytes of .text. */
export function textOf(image: ElfImage): Uint8Array {
  const text = image.sections.find(({ name }) => name === '.text');
  if (text === undefined) throw new Error(`${image.file} has no .text`);
  return text.bytes;
}
