// SPDX-License-Identifier: MIT
// Two runs of the same tests, side by side. Equal outcomes are what is wanted, whatever they are: a test that fails on this
// kernel anyway, or has nothing to test here, says nothing about views.

import type { ForeignResult } from './suite.js';

export type Verdict = 'same' | 'unsteady' | 'differs';

export interface Row {
  readonly name: string;
  readonly off: string;
  readonly on: string;
  readonly verdict: Verdict;
  /** The end of what it printed in a view, if that differs. */
  readonly tail?: string;
}

/** `again`: second runs of what differed. If that is equal to a run of the other kind, the test changes its mind by itself. */
export function compare(
  off: readonly ForeignResult[],
  on: readonly ForeignResult[],
  again: { readonly off: readonly ForeignResult[]; readonly on: readonly ForeignResult[] } = { off: [], on: [] },
): Row[] {
  const outcomes = (name: string, ...runs: (readonly ForeignResult[])[]) =>
    runs.flatMap((run) => run.filter((result) => result.name === name).map(({ outcome }) => outcome));
  const names = [...new Set([...off, ...on].map(({ name }) => name))];
  return names.map((name) => {
    const without = outcomes(name, off, again.off);
    const within = outcomes(name, on, again.on);
    const equal = without[0] !== undefined && without[0] === within[0];
    const verdict = equal ? 'same' : within.some((outcome) => without.includes(outcome)) ? 'unsteady' : 'differs';
    const tail = [...again.on, ...on].find((result) => result.name === name)?.tail;
    return {
      name,
      off: without.join(' | ') || 'no result',
      on: within.join(' | ') || 'no result',
      verdict,
      ...(verdict === 'differs' && tail && { tail }),
    };
  });
}
