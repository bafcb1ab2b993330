// SPDX-License-Identifier: MIT
// A server whose transition is over, beside one that was restarted with the new program: what the guest is told, and what it tells.

import type { LoadTotals } from '../../load/load.js';

/** `again` is the same as `restarted`: how far two runs of one thing lie apart is all that a difference can be judged by. */
export const afterWays = ['patched', 'restarted', 'again'] as const;
export type AfterWay = (typeof afterWays)[number];

export interface AfterCase {
  readonly program: string;
  /** With the old program, and with the new. */
  readonly folder: string;
  readonly newFolder: string;
  readonly host: string;
  readonly patch: string;
  readonly repetitions: number;
  /** How long it is measured. */
  readonly seconds: number;
}

export interface AfterRun {
  readonly program: string;
  readonly way: AfterWay;
  readonly repetition: number;
  /** Requests, in a closed loop. */
  readonly perSecond: number;
  /** Microseconds of processor time that the server took for each. */
  readonly cpuUs: number;
  /** Memory that is the server's alone. */
  readonly privateKiB: number;
}

export type AfterEvent =
  | { readonly kind: 'begin'; readonly program: string }
  | { readonly kind: 'run'; readonly run: AfterRun }
  | {
      readonly kind: 'end';
      readonly program: string;
      readonly totals: Pick<LoadTotals, 'requests' | 'failed' | 'dropped'>;
      readonly problems: readonly string[];
    };
