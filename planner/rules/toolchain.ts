// SPDX-License-Identifier: MIT
/**
 * PRODUCER_DIFFERS: the two files were not made by the same compilers, so that differences say nothing about the fix.
 *
 * Example: the old file comes from the distribution, the new one from a developer's machine.
 */
import type { ElfImage } from '../elf/image.js';
import type { Judged, RuleFinding } from './rule.js';

export function toolchain({ plan }: Judged): RuleFinding[] {
  const { before, after } = plan.context;
  const [old, now] = [producers(before.image), producers(after.image)];
  if (old === now) return [];
  return [
    {
      code: 'PRODUCER_DIFFERS',
      symbol: null,
      message: `the old file was made by ${old || 'nobody it names'}, the new one by ${now || 'nobody it names'}; build both with the same compiler`,
      allowable: true,
    },
  ];
}

/** What .comment says, sorted. */
function producers(image: ElfImage): string {
  const comment = image.sections.find(({ name }) => name === '.comment');
  const words = Buffer.from(comment?.bytes ?? [])
    .toString('utf8')
    .split('\0');
  return [...new Set(words.filter((word) => word !== ''))].sort().join(', ');
}
