// SPDX-License-Identifier: MIT
/** The functions of a patch by name, for those who look at new code from outside: debuggers, profilers, `status`. */
import type { Patch, RunAddress } from '../../planner/index.js';

/** A function in new code; `start` is a run-time address. */
export interface CodeSymbol {
  readonly name: string;
  readonly start: number;
  readonly size: number;
}

/** In the order of their addresses. Each function has a section; what is behind it there belongs to it. */
export function codeSymbols(patch: Patch, sections: readonly number[], arena: RunAddress): CodeSymbol[] {
  const found = patch.symbols.flatMap(({ name, binding }): CodeSymbol[] => {
    if (binding.kind !== 'patch') return [];
    const section = patch.sections[binding.section]!;
    if (section.kind !== 'code' || binding.offset >= section.size) return [];
    return [{ name, start: arena + sections[binding.section]! + binding.offset, size: section.size - binding.offset }];
  });
  return found.sort((a, b) => a.start - b.start);
}
