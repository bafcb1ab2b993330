// SPDX-License-Identifier: MIT
// long: npm test runs it, npm run check does not
/** The demo's report, in a browser. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { describeMachine } from '../../zx-scripts/bench/machine.js';
import { demoPage } from '../../zx-scripts/demo/report.js';
import type { Outcome, Trace } from '../../zx-scripts/demo/trial.js';
import { assertShown, chartsInBrowser } from './browser.js';

const stats = { seconds: 6, requests: 900, failed: 0, perSecond: 150, p50: 4, p99: 9, p999: 22, max: 22 };
const outcome = {
  windows: { before: stats, during: { ...stats, p50: null }, transition: stats, after: stats },
  totals: { connections: 16, requests: 3600, failed: 0, dropped: 0, failures: [] },
  apply: { threads: { total: 13, migrated: 13 } },
  looks: { looks: 7, stopped: 0, traced: 0 },
} as unknown as Outcome;
const trace: Trace = {
  points: Array.from({ length: 900 }, (_, at) => [at / 60 - 6, 4 + ((at * 7) % 11)] as const),
  transition: { from: 1.2, to: 1.26 },
  applied: 1.7,
  migrated: Array.from({ length: 13 }, (_, at) => ({ at: 1.2 + at * 0.004, thread: { tid: at, name: 'mc-worker' } })),
};
const facts = { version: '1.6.18-1', machine: describeMachine('tcg'), outcome, trace, file: 'report.json' };
const page = demoPage({ ...facts, fixName: 'CVE-2023-<1>', problems: ['expected this & that'] });

test('in a browser both charts have their marks and words, none of which overlap or stick out', () => {
  const seen = chartsInBrowser(page);
  if (seen === null) return console.log('  skipped: no chromium-headless-shell here');
  assert.is(seen.length, 2);
  for (const [at, chart] of seen.entries()) assertShown(chart, `chart ${at}`);
});

test('it says what was done, and what was not shown', () => {
  assert.match(page, '<h2>CVE-2023-&lt;1&gt;, applied to a running memcached 1.6.18-1</h2>');
  assert.match(page, '13 of 13 threads took the new code');
  assert.match(page, 'Not shown: expected this &amp; that');
  assert.match(page, '<td>1.00 ×</td>');
  assert.not.match(page, /NaN|undefined|Infinity|<script/);
});

test.run();
