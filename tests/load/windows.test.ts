// SPDX-License-Identifier: MIT
/** Which request counts for which window, and what its figures are. */
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  comparedWindows,
  now,
  percentile,
  type Sample,
  statsOf,
  WindowLengths,
} from '../../zx-scripts/load/windows.js';

const sample = (start: number, end: number, ok = true): Sample => ({ end, latency: end - start, ok });

test('percentiles are values that were measured, and never round past the last', () => {
  const thousand = Array.from({ length: 1000 }, (_, at) => at + 1);
  assert.equal(
    [50, 99, 99.9, 100].map((percent) => percentile(thousand, percent)),
    [500, 990, 999, 1000],
  );
  assert.is(percentile([7], 99.9), 7);
  assert.is(percentile([1, 2, 3], 50), 2);
  assert.is(percentile([], 50), null);
});

test('a request that the window holds up counts for it, although it began before or ended after', () => {
  const window = { from: 1000, to: 2000 };
  const samples = [sample(900, 950), sample(990, 1500), sample(1200, 1300), sample(1990, 2600), sample(900, 2600)];
  const touching = statsOf(samples, window, 'touching');
  assert.equal([touching.requests, touching.max], [4, 1700]);
  const inside = statsOf(samples, window, 'inside');
  assert.equal([inside.requests, inside.max], [1, 100]);
});

test('requests per second are those that ended in the window, by its length', () => {
  const samples = [sample(900, 1100), sample(1200, 1300), sample(1990, 2600)];
  const { perSecond, seconds } = statsOf(samples, { from: 1000, to: 1500 }, 'touching');
  assert.equal([perSecond, seconds], [4, 0.5]);
});

test('a request that failed counts as failed, not among the latencies', () => {
  const { requests, failed, p50, perSecond } = statsOf(
    [sample(10, 20), sample(10, 90, false)],
    { from: 0, to: 100 },
    'inside',
  );
  assert.equal([requests, failed, p50, perSecond], [2, 1, 10, 10]);
});

test('a window without requests has no latencies, not zeros', () => {
  const { requests, p50, p999, max } = statsOf([], { from: 0, to: 100 }, 'inside');
  assert.equal([requests, p50, p999, max], [0, null, null, null]);
});

test('a window is as long as what has to be done in it: what took longer is done again, in a longer one', async () => {
  const lengths = new WindowLengths(500);
  const windows: number[] = [];
  const taking = (tookMs: number) =>
    lengths.fitting('stop', async (windowMs) => {
      windows.push(windowMs);
      return { tookMs };
    });
  assert.equal(await taking(1000), { tookMs: 1000 });
  assert.equal(await taking(1500), { tookMs: 1500 });
  assert.equal(windows, [500, 1500, 1500]);
  assert.is(lengths.of('barrier'), 500);
});

test('what never fits into its window is an error, not a window of another length', async () => {
  try {
    await new WindowLengths(1).fitting('stop', async (windowMs) => ({ tookMs: windowMs + 1 }));
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /^stop: expected it to be done within \d+ ms, found that it takes longer$/);
  }
});

test('what fits into its window is compared with one before it, what takes longer with one behind it, as long', async () => {
  for (const takes of [0, 60]) {
    let undone = 0;
    const undo = async () => {
      undone = now();
    };
    const { quiet, acted, done, tookMs } = await comparedWindows(20, () => sleep(takes, 'done'), undo);
    assert.is(done, 'done');
    assert.ok(undone >= acted.to, 'undone outside of the window');
    assert.ok(tookMs >= takes - 2 && tookMs <= acted.to - acted.from);
    if (takes < 20) assert.ok(quiet.to <= acted.from, 'before');
    else assert.ok(quiet.from >= undone && quiet.to - quiet.from >= acted.to - acted.from - 2, 'behind, and as long');
    assert.ok(acted.to - acted.from >= Math.max(20, takes) - 2 && quiet.to - quiet.from >= 18);
  }
});

test.run();
