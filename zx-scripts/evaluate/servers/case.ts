// SPDX-License-Identifier: MIT
// A server that is patched over and over while its requests' latencies are taken: what the guest is told, and what it tells.

import type { LoadTotals } from '../../load/load.js';

/**
 * `elsewhere`: driftpatch does all its work, on the server's twin (twin.ts). The difference to it is what the change itself costs. `barrier`:
 * all threads of the server gather (servers/quiescence.h), and go on; nothing is changed meanwhile, and driftpatch is not there.
 */
export const serverWays = ['elsewhere', 'wait-free', 'stop', 'barrier'] as const;
export type ServerWay = (typeof serverWays)[number];

export interface ServerCase {
  readonly program: string;
  readonly fix: string;
  readonly folder: string;
  readonly host: string;
  readonly patch: string;
  /** In each loop. */
  readonly repetitions: number;
  /** Of a window, at least. */
  readonly windowMs: number;
  /** Of the rate that the server reaches when it is asked as fast as it answers: what is due in the open loop. */
  readonly share: number;
}

export interface ServerPlan {
  readonly cases: readonly ServerCase[];
}

export interface Latencies {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** One application, and the equally long window without one before it. Milliseconds. */
export interface ServerRun {
  readonly program: string;
  readonly loop: 'closed' | 'open';
  readonly way: ServerWay;
  readonly quiet: Latencies;
  readonly patched: Latencies;
  readonly transition: number;
}

/** All latencies of all windows of a kind, as a hundred quantiles and the longest. */
export interface Distribution {
  readonly program: string;
  readonly loop: 'closed' | 'open';
  readonly way: ServerWay;
  readonly quiet: readonly number[];
  readonly patched: readonly number[];
  readonly samples: { readonly quiet: number; readonly patched: number };
}

/** The latency of each request around the last application of a way: its end, seconds before or after; and its latency. */
export interface Trace {
  readonly program: string;
  readonly loop: 'closed' | 'open';
  readonly way: ServerWay;
  readonly points: readonly (readonly [number, number])[];
  /** Seconds that the application took. */
  readonly seconds: number;
}

export type ServerEvent =
  | { readonly kind: 'begin'; readonly program: string; readonly loop: 'closed' | 'open'; readonly perSecond: number }
  | { readonly kind: 'run'; readonly run: ServerRun }
  | { readonly kind: 'distribution'; readonly distribution: Distribution }
  | { readonly kind: 'trace'; readonly trace: Trace }
  | {
      readonly kind: 'end';
      readonly program: string;
      readonly loop: 'closed' | 'open';
      readonly totals: LoadTotals;
      readonly problems: readonly string[];
    };
