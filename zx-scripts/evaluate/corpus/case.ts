// SPDX-License-Identifier: MIT
// One fix on one running server: what the guest is told of it, and what it tells.

import type { LoadTotals } from '../../load/load.js';

export interface Case {
  /** In servers/subjects.ts. */
  readonly program: string;
  readonly fix: string;
  /** Folders and file as the guest sees them. */
  readonly folder: string;
  readonly host: string;
  readonly patch: string;
  readonly rounds: number;
}

export interface CaseResult {
  readonly program: string;
  readonly fix: string;
  readonly processes: number;
  /** Of all processes: the most that were counted. */
  readonly threads: number;
  /** How often it was applied, and reverted. */
  readonly applied: number;
  readonly reverted: number;
  /** Microseconds of each transition, of each process. */
  readonly transitions: readonly number[];
  /** Milliseconds: the median latency of what was asked while nothing happened. */
  readonly quiet: number;
  /**
   * The longest request that was under way during a transition, by the longest of an equally long time just before it;
   * one for each apply.
   */
  readonly held: readonly number[];
  readonly totals: LoadTotals;
  /** What was seen of the behaviour with the old code and with the new; null if entries and status are all that was looked at. */
  readonly behaviour: { readonly old: string; readonly new: string } | null;
  /** What was expected and not found, one line each. None: all held. */
  readonly problems: readonly string[];
}

export type CorpusEvent =
  | { readonly kind: 'begin'; readonly program: string; readonly fix: string }
  | { readonly kind: 'round'; readonly program: string; readonly fix: string; readonly round: number }
  | { readonly kind: 'end'; readonly result: CaseResult };
