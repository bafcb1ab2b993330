// SPDX-License-Identifier: MIT
/**
 * Which frame description belongs to which new function, read from the patch's .eh_frame and its relocations.
 *
 * Only the records' lengths and the relocation of each record's first field count: where it leads is the function, and the
 * field behind it, of the same width, is its size. What does not add up is no record, and the patch is refused.
 */
import { type Patch, type RunAddress, runAddress } from '../../planner/index.js';
import { RuntimeError } from '../errors.js';
import type { Layout } from '../link/layout.js';
import { RELOCATIONS } from '../link/relocations.js';

/** Offsets from the arena's start. */
export interface DescribedFunction {
  readonly start: number;
  readonly end: number;
  /** The FDE. */
  readonly record: number;
}

export const FRAMES = '.eh_frame';
const FUNCTION_AT = 8;

export function describedFunctions(patch: Patch, { sections }: Pick<Layout, 'sections'>): DescribedFunction[] {
  const index = patch.sections.findIndex(({ name }) => name === FRAMES);
  if (index < 0) throw damaged('there is none');
  const bytes = Buffer.from(patch.sections[index]!.bytes);
  const fields = new Map(patch.relocations.filter((r) => r.section === index).map((r) => [r.offset, r]));
  const found: DescribedFunction[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    if (length === 0) break;
    if (length < 4 || at + 4 + length > bytes.length) throw damaged(`a record of ${length} bytes at ${at}`);
    const field = fields.get(at + FUNCTION_AT);
    if (bytes.readUInt32LE(at + 4) !== 0 && field !== undefined) {
      const width = (RELOCATIONS.get(field.type)?.bits ?? 0) / 8;
      const { binding } = patch.symbols[field.symbol]!;
      const sizeAt = at + FUNCTION_AT + width;
      if (binding.kind !== 'patch' || (width !== 4 && width !== 8) || sizeAt + width > at + 4 + length)
        throw damaged(`a record at ${at} that describes no function of the patch`);
      const start = sections[binding.section]! + binding.offset + field.addend;
      found.push({ start, end: start + bytes.readUIntLE(sizeAt, 4), record: sections[index]! + at });
    }
    at += 4 + length;
  }
  return found;
}

/** Where the frame descriptions stand, of size 0 if there are none. */
export function framesIn(patch: Patch, sections: readonly number[], arena: RunAddress) {
  const index = patch.sections.findIndex(({ name }) => name === FRAMES);
  if (index < 0) return { start: arena, size: 0 };
  return { start: runAddress(arena + sections[index]!), size: patch.sections[index]!.size };
}

const damaged = (why: string) => new RuntimeError('PATCH_UNUSABLE', { why: `its frame descriptions: ${why}` });
