// SPDX-License-Identifier: MIT
// What a person watches while the demo's server is patched. On a terminal two lines stay below the others and are drawn anew all the
// time: latency as it is, and how many threads run the new code. Elsewhere a line comes every few seconds.

import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import pc from 'picocolors';
import sparkly from 'sparkly';
import type { GuestEvent } from './guest-events.js';

export interface LiveView {
  /** A line for good, above what is drawn anew. */
  say(line: string): void;
  onEvent(event: GuestEvent): void;
  end(): void;
}

/** Half seconds, one column each. */
const columns = 48;
/** Off a terminal: one line for so many half seconds. */
const every = 4;

export function liveView(stream: NodeJS.WriteStream = process.stdout): LiveView {
  let bars: MultiBar | null = null;
  let latency: SingleBar | null = null;
  let threads: SingleBar | null = null;
  const longest: number[] = [];
  let seen = 0;
  const write = (line: string) => void stream.write(`${line}\n`);

  const begin = (total: number) => {
    bars = new MultiBar(
      {
        format: '  threads  {bar} {value} of {total} in the new code',
        stream,
        hideCursor: true,
        clearOnComplete: true,
      },
      Presets.shades_classic,
    );
    latency = bars.create(1, 0, { spark: '', now: '' }, { format: '  longest  {spark} {now}' });
    threads = bars.create(total, 0);
  };

  return {
    say(line) {
      // the rest of what stood there goes
      if (bars) for (const one of line.split('\n')) bars.log(`${one}\u001b[K\n`);
      else write(line);
    },
    onEvent(event) {
      if (event.kind === 'servers' && stream.isTTY) begin(event.threads.length);
      if (event.kind === 'migrated') {
        threads?.setTotal(event.total);
        threads?.update(event.migrated);
      }
      if (event.kind !== 'lately') return;
      const { p50, max, perSecond } = event.stats;
      longest.push(max ?? Number.NaN);
      const words = `p50 ${shownMs(p50)}, longest ${shownMs(max)}, ${perSecond.toFixed(0)} requests/s`;
      latency?.update(1, { spark: sparks(longest), now: words });
      if (!bars && seen++ % every === 0) write(pc.dim(`    just now: ${words}`));
    },
    end() {
      // what is still to be written goes with it otherwise
      bars?.update();
      bars?.stop();
      bars = null;
    },
  };
}

const shownMs = (value: number | null) => (value === null ? '-' : `${value.toFixed(value < 100 ? 1 : 0)} ms`);

/** The latest of these latencies, on a logarithmic scale. */
export const sparks = (latencies: readonly number[]): string =>
  sparkly(latencies.slice(-columns).map((one) => Math.log2(one))).padEnd(columns);
