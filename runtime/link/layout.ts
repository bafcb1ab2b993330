// SPDX-License-Identifier: MIT
/**
 * Where everything lies in the arena.
 *
 * The code part (r-x) begins with the record, then on a page of their own the code sections, then rodata, then the slots
 * and stubs that imports need, then what finds frame descriptions (unwind/). The data part (rw-) holds data and bss. Offsets count from the start of the code part;
 * the data part follows it at once.
 *
 * Invariant: the layout depends on no address in the process, so that sizes are known before the arena is mapped.
 */
import type { Patch, PatchSection, SectionKind } from '../../planner/index.js';
import { RuntimeError } from '../errors.js';
import { RELOCATIONS } from './relocations.js';

export const PAGE = 4096;
/** jmp *slot(%rip), padded. */
export const STUB_SIZE = 8;
const SLOT_SIZE = 8;
const FINDER_ALIGN = 16;

export interface Layout {
  /** Offset of each section, by its index in the patch. */
  readonly sections: readonly number[];
  /** Symbol index to the offset of the slot that holds its address. */
  readonly slots: ReadonlyMap<number, number>;
  /** Symbol index to the offset of its stub: where a call goes whose target may be out of reach. */
  readonly stubs: ReadonlyMap<number, number>;
  /** Offset of what finds frame descriptions. */
  readonly finder: number;
  /** Offset and size of the code sections. */
  readonly code: { readonly offset: number; readonly size: number };
  readonly codeSize: number;
  readonly dataSize: number;
}

export function layOut(patch: Patch, recordSize: number, finderSize = 0): Layout {
  const sections = new Array<number>(patch.sections.length).fill(0);
  let at = roundUp(recordSize, PAGE);
  const place = (order: readonly SectionKind[]) => {
    for (const kind of order) {
      for (const [index, section] of patch.sections.entries()) {
        if (section.kind !== kind) continue;
        at = roundUp(at, alignOf(section));
        sections[index] = at;
        at += section.size;
      }
    }
  };
  const codeAt = at;
  place(['code']);
  const code = { offset: codeAt, size: at - codeAt };
  place(['rodata']);

  const { wantSlot, wantStub } = wishes(patch);
  const slots = new Map<number, number>();
  const stubs = new Map<number, number>();
  at = roundUp(at, SLOT_SIZE);
  for (const symbol of wantSlot) {
    slots.set(symbol, at);
    at += SLOT_SIZE;
  }
  for (const symbol of wantStub) {
    stubs.set(symbol, at);
    at += STUB_SIZE;
  }

  const finder = roundUp(at, FINDER_ALIGN);
  const codeSize = roundUp(Math.max(finder + finderSize, 1), PAGE);
  at = codeSize;
  place(['data', 'bss']);
  return { sections, slots, stubs, finder, code, codeSize, dataSize: roundUp(at - codeSize, PAGE) };
}

/** Which symbols need a slot (all that go through the GOT) and which a stub too (imports that are called). */
function wishes(patch: Patch): { wantSlot: Set<number>; wantStub: Set<number> } {
  const wantSlot = new Set<number>();
  const wantStub = new Set<number>();
  for (const { type, symbol } of patch.relocations) {
    const via = RELOCATIONS.get(type)?.via;
    if (via === 'slot') wantSlot.add(symbol);
    if (via === 'stub' && patch.symbols[symbol]?.binding.kind === 'import') {
      wantSlot.add(symbol);
      wantStub.add(symbol);
    }
  }
  return { wantSlot, wantStub };
}

function alignOf(section: PatchSection): number {
  const { align, name } = section;
  if (align > PAGE) throw new RuntimeError('SECTION_ALIGN', { section: name, align });
  return Math.max(align, 1);
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
