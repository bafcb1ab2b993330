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
  /** How long each first run took. For a person: nothing is made of it. */
  readonly seconds: { readonly off: number | null; readonly on: number | null };
  /** The end of what it printed in a view, if that differs. */
  readonly tail?: string;
}

/**
 * `again`: more runs of what differed. A test changes its mind by itself only if without views it came to everything that it
 * came to in one: what happened in views alone, even once, is a difference.
 */
export function compare(
  off: readonly ForeignResult[],
  on: readonly ForeignResult[],
  again: { readonly off: readonly ForeignResult[]; readonly on: readonly ForeignResult[] } = { off: [], on: [] },
): Row[] {
  const of = (name: string, ...runs: (readonly ForeignResult[])[]) =>
    runs.flat().filter((result) => result.name === name);
  const names = [...new Set([...off, ...on].map(({ name }) => name))];
  return names.map((name) => {
    const without = of(name, off, again.off);
    const within = of(name, on, again.on);
    const equal = of(name, off)[0]?.outcome === of(name, on)[0]?.outcome;
    const seen = (outcome: string) => without.some((result) => result.outcome === outcome);
    const unsteady = within.length > 0 && within.every(({ outcome }) => seen(outcome));
    const verdict = equal ? 'same' : unsteady ? 'unsteady' : 'differs';
    const tail = within.find(({ outcome }) => !seen(outcome))?.tail;
    return {
      name,
      off: without.map(({ outcome }) => outcome).join(' | ') || 'no result',
      on: within.map(({ outcome }) => outcome).join(' | ') || 'no result',
      verdict,
      seconds: { off: without[0]?.seconds ?? null, on: within[0]?.seconds ?? null },
      ...(verdict === 'differs' && tail && { tail }),
    };
  });
}
