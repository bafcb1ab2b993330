// SPDX-License-Identifier: MIT
// What happened in which window of time. A request belongs to the transition's window if it was under way at any moment of
// it: one that began before and was held up by it must not count as one of before. To the other windows belongs what lies
// wholly inside.

import { setTimeout as sleep } from 'node:timers/promises';

export interface Window {
  /** Milliseconds of the monotonic clock, which all processes share. */
  readonly from: number;
  readonly to: number;
}

/** So often something is tried that takes longer than its window. */
const attempts = 5;

/**
 * How long windows have to be for what is done in one of them. The one without it has to be as long: the longest of more requests
 * is longer.
 */
export class WindowLengths {
  private readonly least: number;
  private readonly found = new Map<string, number>();

  /** Milliseconds. */
  constructor(least: number) {
    this.least = least;
  }

  of(what: string): number {
    return this.found.get(what) ?? this.least;
  }

  /** Does `what` until it has taken no longer than its window, which is longer each time. Gives what was done last. */
  async fitting<Done extends { readonly tookMs: number }>(
    what: string,
    attempt: (windowMs: number) => Promise<Done>,
  ): Promise<Done> {
    for (let left = attempts; left > 0; left--) {
      const done = await attempt(this.of(what));
      if (done.tookMs <= this.of(what)) return done;
      this.found.set(what, done.tookMs * 1.5);
    }
    throw new Error(
      `${what}: expected it to be done within ${Math.round(this.of(what))} ms, found that it takes longer`,
    );
  }
}

export interface Compared<Done> {
  readonly quiet: Window;
  readonly acted: Window;
  readonly done: Done;
  /** Milliseconds that the action took. */
  readonly tookMs: number;
}

/**
 * A window of `ms` milliseconds in which nothing is done, and one as long in which `action` is, whose effect `undo` takes back outside of
 * both. An action that takes longer has a longer window, and the other is taken again behind it, as long: none is left out for being slow.
 */
export async function comparedWindows<Done>(
  ms: number,
  action: () => Promise<Done>,
  undo: () => Promise<void>,
): Promise<Compared<Done>> {
  const before = await windowOf(ms, async () => {});
  let tookMs = 0;
  let done: Done;
  const acted = await windowOf(ms, async () => {
    const from = now();
    done = await action();
    tookMs = now() - from;
  });
  await undo();
  const quiet = tookMs > ms ? await windowOf(acted.to - acted.from, async () => {}) : before;
  return { quiet, acted, done: done!, tookMs };
}

/** At least `ms` long. */
async function windowOf(ms: number, action: () => Promise<void>): Promise<Window> {
  const from = now();
  await action();
  await sleep(Math.max(0, ms - (now() - from)));
  return { from, to: now() };
}

export interface Sample {
  readonly end: number;
  readonly latency: number;
  readonly ok: boolean;
}

export interface WindowStats {
  readonly seconds: number;
  /** The requests that the latencies are taken from. */
  readonly requests: number;
  readonly failed: number;
  /** Requests that ended in the window, by its length. */
  readonly perSecond: number;
  /** Milliseconds; of fewer than 1000 requests p99.9 is the longest. Null if there was no request. */
  readonly p50: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
}

export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

export function belongs({ end, latency }: Sample, { from, to }: Window, which: 'inside' | 'touching'): boolean {
  const start = end - latency;
  return which === 'inside' ? start >= from && end <= to : start <= to && end >= from;
}

export function statsOf(samples: Iterable<Sample>, window: Window, which: 'inside' | 'touching'): WindowStats {
  const { from, to } = window;
  const latencies: number[] = [];
  let [failed, ended] = [0, 0];
  for (const sample of samples) {
    const { end, latency, ok } = sample;
    if (ok && end >= from && end <= to) ended++;
    if (!belongs(sample, window, which)) continue;
    if (ok) latencies.push(latency);
    else failed++;
  }
  latencies.sort((a, b) => a - b);
  const seconds = (to - from) / 1000;
  return {
    seconds,
    requests: latencies.length + failed,
    failed,
    perSecond: seconds > 0 ? ended / seconds : 0,
    p50: percentile(latencies, 50),
    p99: percentile(latencies, 99),
    p999: percentile(latencies, 99.9),
    max: latencies.at(-1) ?? null,
  };
}

/**
 * At most so many points for a plot: when a request ended, in seconds from `zero`, and its latency. Of neighbours the longest is
 * kept: what is left out must not be what matters.
 */
export function thinned(samples: readonly Sample[], points: number, zero: number): [number, number][] {
  const inTime = [...samples].sort((one, other) => one.end - other.end);
  const keep = Math.max(1, Math.ceil(inTime.length / points));
  const found: [number, number][] = [];
  for (let at = 0; at < inTime.length; at += keep) {
    const longest = inTime.slice(at, at + keep).reduce((one, other) => (other.latency > one.latency ? other : one));
    found.push([toThousandths((longest.end - zero) / 1000), toThousandths(longest.latency)]);
  }
  return found;
}

export const toThousandths = (value: number): number => Math.round(value * 1000) / 1000;

/** The smallest value that is not below `percent` of all; of sorted values. */
export function percentile(sorted: readonly number[], percent: number): number | null {
  // Tenths of a percent are whole numbers: 99.9 / 100 * 1000 must not round up to 1000.
  const rank = Math.ceil((Math.round(percent * 10) * sorted.length) / 1000);
  return sorted[Math.max(rank, 1) - 1] ?? null;
}
