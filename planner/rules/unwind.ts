// SPDX-License-Identifier: MIT
/**
 * UNWIND_NEEDED: new code catches C++ exceptions or runs destructors when one passes, and its tables are not carried yet.
 *
 * Example: a function with try and catch, or with a local std::string. Its frame description names a language-specific data area.
 */
import { functionsWithLandingPads } from '../elf/frames.js';
import type { Judged, RuleFinding } from './rule.js';

export function unwind({ plan, placed }: Judged): RuleFinding[] {
  const pads = functionsWithLandingPads(plan.context.after.image);
  return placed
    .filter(({ address }) => pads.has(address))
    .map(({ name }) => ({
      code: 'UNWIND_NEEDED',
      symbol: name,
      message: `function ${name} has landing pads for exceptions, which a patch cannot carry yet; leave it as it was`,
      allowable: false,
    }));
}
