// SPDX-License-Identifier: MIT
/**
 * INIT_CHANGED: what runs when the process starts is another, and the process has started already.
 *
 * Constructors or destructors were added or removed: a new `__attribute__((constructor))` function, or a C++ global with a constructor
 * in a file that had none. Or a constructor does something else: among the C++ globals of a file is a new one, or one begins with another
 * value. A destructor that does something else is replaced as any function, for it is still to run.
 */

import type { Side } from '../compare/side.js';
import { R_X86_64 } from '../elf/relocations.js';
import type { CodeFunction } from '../match/functions.js';
import type { Judged, RuleFinding } from './rule.js';

/** What compilers put the constructors of a file's C++ globals in, where the entry of .init_array calls it: gcc's name, and clang's. */
const parts = /^(_Z\d+__static_initialization_and_destruction_0|__cxx_global_(var|array)_init)/;

export function startUp({ plan }: Judged): RuleFinding[] {
  const { before, after } = plan.context;
  const lists = ['.init_array', '.fini_array'].flatMap((name) => {
    const [old, now] = [before, after].map((side) => entries(side, name).map((fn) => fn?.name ?? '?')) as [
      string[],
      string[],
    ];
    if (old.join() === now.join()) return [];
    return [
      {
        code: 'INIT_CHANGED',
        symbol: now.find((entry) => !old.includes(entry)) ?? old.find((entry) => !now.includes(entry)) ?? null,
        message: `${name} holds ${old.join(', ') || 'nothing'} in the old file and ${now.join(', ') || 'nothing'} in the new, but the process has started already; call it from code that runs`,
        allowable: true,
      },
    ];
  });
  const constructors = entries(before, '.init_array');
  const changed = plan.modified
    .filter(({ old }) => constructors.includes(old) || parts.test(old.name))
    .map(({ old }) => ({
      code: 'INIT_CHANGED',
      symbol: old.name,
      message: `constructor ${old.name} changes, but it has run in the process already and will not run again; do in code that still runs what it now does`,
      allowable: true,
    }));
  return [...lists, ...changed];
}

function entries(side: Side, name: string): (CodeFunction | null)[] {
  const section = side.image.sections.find((candidate) => candidate.name === name);
  if (!section) return [];
  const functions: (CodeFunction | null)[] = [];
  for (let at = 0; at < section.size; at += 8) {
    const relocation = side.image.relocations.get(section.address + at);
    if (relocation?.type === R_X86_64.relative) functions.push(side.functionAt(relocation.addend) ?? null);
  }
  return functions;
}
