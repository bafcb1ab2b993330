// SPDX-License-Identifier: MIT
/** The functions of a patch by name, for those who look at new code from outside: debuggers, profilers, `status`. */
import type { Patch } from '../../planner/index.js';

/** A function in new code, as a run-time address or as an offset from the arena's start. */
export interface CodeSymbol {
  readonly name: string;
  readonly start: number;
  readonly size: number;
}

/** Offsets from the arena's start, in order. Each function has a section; what is behind it there belongs to it. */
export function codeSymbols(patch: Patch, sections: readonly number[]): CodeSymbol[] {
  const found = patch.symbols.flatMap(({ name, binding }): CodeSymbol[] => {
    if (binding.kind !== 'patch') return [];
    const section = patch.sections[binding.section]!;
    if (section.kind !== 'code' || binding.offset >= section.size) return [];
    return [{ name, start: sections[binding.section]! + binding.offset, size: section.size - binding.offset }];
  });
  return found.sort((a, b) => a.start - b.start);
}
