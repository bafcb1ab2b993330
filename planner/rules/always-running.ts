// SPDX-License-Identifier: MIT
/**
 * ALWAYS_RUNNING, a note: `main` is on its thread's stack from start to end, so a patch that replaces it never completes under
 * the strict check. Example: a fix in an event loop that was inlined into main.
 */
import type { Judged, RuleFinding } from './rule.js';

export function alwaysRunning({ plan }: Judged): RuleFinding[] {
  return plan.modified
    .filter(({ old }) => old.name === 'main')
    .map(({ old }) => ({
      code: 'ALWAYS_RUNNING',
      symbol: old.name,
      message: `function ${old.name} is always on a stack, so the transition cannot complete; move what changes into a function that returns`,
      allowable: true,
      noteOnly: true,
    }));
}
