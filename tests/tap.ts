// SPDX-License-Identifier: MIT
// TAP as the kernel's selftests print it. A plan is promised first; whatever the plan names and no line answers has failed.

export interface Tap {
  readonly cases: readonly TapCase[];
  /** What is wrong with the output as a whole; null if nothing is. */
  readonly problem: string | null;
}

export interface TapCase {
  readonly name: string;
  readonly verdict: 'ok' | 'not ok' | 'skip';
  /** The diagnostic lines that were printed before it. */
  readonly remarks: readonly string[];
}

export function parseTap(text: string): Tap {
  const cases: TapCase[] = [];
  let remarks: string[] = [];
  let plan: number | null = null;
  const numbers: number[] = [];
  for (const line of text.split(/\r?\n/)) {
    const promised = /^1\.\.(\d+)/.exec(line);
    if (promised) plan = Number(promised[1]);
    if (/^Bail out!/.test(line)) return { cases, problem: line };
    const match = /^(not ok|ok) (\d+)\s*(?:- )?(.*)$/.exec(line);
    if (!match) {
      if (line.startsWith('#')) remarks.push(line);
      continue;
    }
    const [name, skip] = match[3]!.split(/\s*# SKIP\s*/i);
    numbers.push(Number(match[2]));
    const verdict = match[1] === 'not ok' ? 'not ok' : skip !== undefined ? 'skip' : 'ok';
    cases.push({ name: (skip ? `${name} ${skip}` : name!).trim(), verdict, remarks });
    remarks = [];
  }
  return { cases, problem: problemOf(plan, numbers) };
}

function problemOf(plan: number | null, numbers: readonly number[]): string | null {
  if (plan === null) return 'expected a plan (1..N), found none';
  if (plan === 0) return 'expected at least one case, found a plan of none';
  if (numbers.length !== plan) return `expected ${plan} results, found ${numbers.length}`;
  const odd = numbers.findIndex((number, at) => number !== at + 1);
  return odd < 0 ? null : `expected result ${odd + 1}, found ${numbers[odd]}`;
}
