// SPDX-License-Identifier: MIT
// What a benchmark is: a module beside this one that exports a `Bench`, and has its line in `zx-scripts/bench.ts`. It makes what it needs
// (cached, so that the second time is quick), measures, and gives series; it prints nothing.
//
//   export const kernel: Bench = {
//     about: 'the price of views: faults, clones, migrations',
//     async run({ quick, shown }) {
//       const { stdout, accelerator } = await runInGuest([program, quick ? '3' : '11'], …);
//       return { series: parseResultLines(stdout.toString()), guest: accelerator };
//     },
//   };

import type { ShownProgress } from '../show-progress.js';
import type { BenchResult, Series } from './result.js';

export interface BenchContext {
  /** Fewer runs over less: to see that it works, not what it measures. */
  readonly quick: boolean;
  /** Long steps; goes to stderr. */
  readonly shown: ShownProgress;
  readonly signal: AbortSignal;
  /** A plain kernel to boot; without it one is built. */
  readonly bzImage?: string;
}

export interface Measured {
  readonly series: readonly Series[];
  /** What a reader must know to read the figures: what was measured over what. One line each. */
  readonly notes?: readonly string[];
  /** The guest's accelerator, if one was measured in. */
  readonly guest?: 'kvm' | 'tcg';
}

export interface Bench {
  readonly about: string;
  readonly run: (context: BenchContext) => Promise<Measured>;
}

/** What `--json` prints. */
export interface BenchReport {
  readonly schema: 1;
  readonly machine: Machine;
  readonly results: readonly BenchResult[];
  readonly notes: readonly string[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMb: number;
  readonly system: string;
  readonly node: string;
  /** Of the guests that were measured in; null if none was. */
  readonly guest: 'kvm' | 'tcg' | null;
  readonly advice: string;
}
