// SPDX-License-Identifier: MIT
// What an evaluation is: a module beside this one, with its line in `zx-scripts/evaluate.ts`. It makes what it needs (cached), has it
// run in the guest, and says whether what it claims was shown.

import type { Series } from '../bench/result.js';
import type { ShownProgress } from '../show-progress.js';

export interface EvaluationContext {
  /** The least that shows that it works. */
  readonly quick: boolean;
  /** Only what has one of these words in its name; empty: all. */
  readonly only: readonly string[];
  /** A kernel, instead of building one. */
  readonly bzImage?: string;
  readonly shown: ShownProgress;
  readonly signal: AbortSignal;
}

export interface Evaluated {
  /** For a person, on a terminal. */
  readonly text: string;
  /** The figures, for programs; see bench/result.ts. */
  readonly series: readonly Series[];
  /** All that was found: what is written beside the report, and what the report is made from. */
  readonly data: unknown;
  /** What was expected and not found. None: all was shown. */
  readonly problems: readonly string[];
  readonly guest: 'kvm' | 'tcg' | null;
}

export interface Evaluation {
  readonly about: string;
  readonly run: (context: EvaluationContext) => Promise<Evaluated>;
}
