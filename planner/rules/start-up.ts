// SPDX-License-Identifier: MIT
/**
 * INIT_CHANGED: constructors or destructors were added or removed. Constructors of a running process have run; a new one would
 * not. Example: a new `__attribute__((constructor))` function, or a new C++ global with a constructor.
 */

import type { Side } from '../compare/side.js';
import { R_X86_64 } from '../elf/relocations.js';
import type { Judged, RuleFinding } from './rule.js';

export function startUp({ plan }: Judged): RuleFinding[] {
  const { before, after } = plan.context;
  return ['.init_array', '.fini_array'].flatMap((name) => {
    const [old, now] = [entries(before, name), entries(after, name)];
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
}

function entries(side: Side, name: string): string[] {
  const section = side.image.sections.find((candidate) => candidate.name === name);
  if (!section) return [];
  const names: string[] = [];
  for (let at = 0; at < section.size; at += 8) {
    const relocation = side.image.relocations.get(section.address + at);
    if (relocation?.type === R_X86_64.relative) names.push(side.functionAt(relocation.addend)?.name ?? '?');
  }
  return names;
}
