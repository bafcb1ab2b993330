// SPDX-License-Identifier: MIT
/** Each claim of the demo is looked at: an outcome that lacks one of them is not taken for a success. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Outcome } from '../../zx-scripts/demo/trial.js';
import { problemsOf } from '../../zx-scripts/demo/verdict.js';
import type { WindowStats } from '../../zx-scripts/load/windows.js';

const stats: WindowStats = { seconds: 1, requests: 9, failed: 0, perSecond: 9, p50: 1, p99: 1, p999: 1, max: 1 };
const four = (answer: string) => Array<string>(4).fill(answer);

const good: Outcome = {
  apply: {
    pid: 7,
    patch: '007',
    state: 'applied',
    already: false,
    threads: { total: 5, migrated: 5 },
    pending: [],
    timing: { cloneUs: 1, linkUs: 1, writeUs: 1, transitionUs: 1, foldUs: 1 },
  },
  migrated: [7, 8, 9, 10, 11].map((tid) => ({ tid, name: 'mc-worker' })),
  looks: { looks: 7, stopped: 0, traced: 0 },
  probes: { before: four('values'), after: four('refused') },
  ordinary: four('values'),
  overflow: {
    unpatched: { answer: 'connection closed', ending: 'SIGSEGV' },
    patched: { answer: 'refused', ending: null },
  },
  windows: { before: stats, during: stats, transition: stats, after: stats },
  totals: { connections: 16, requests: 99, failed: 0, dropped: 0, failures: [] },
};

test('an outcome that has everything has no problem', () => {
  assert.equal(problemsOf(good), []);
});

const { apply, probes, overflow, totals, windows } = good;
const lacking: readonly [string, RegExp, Partial<Outcome>][] = [
  ['a patch that is pending', /applied.*found pending/, { apply: { ...apply, state: 'pending' } }],
  ['a patch that was there before', /the patch to be applied/, { apply: { ...apply, already: true } }],
  ['a thread that has not migrated', /every thread/, { apply: { ...apply, threads: { total: 5, migrated: 4 } } }],
  ['a migration that nobody saw', /see 5 threads migrate, found 4/, { migrated: good.migrated.slice(1) }],
  ['a stopped thread', /stopped or traced/, { looks: { looks: 7, stopped: 1, traced: 0 } }],
  ['a traced thread', /stopped or traced/, { looks: { looks: 7, stopped: 0, traced: 1 } }],
  ['nobody who looked', /stopped or traced/, { looks: { looks: 0, stopped: 0, traced: 0 } }],
  ['an old code without the bug', /old code/, { probes: { ...probes, before: four('refused') } }],
  ['one worker in the old code', /new code/, { probes: { ...probes, after: [...four('refused').slice(1), 'values'] } }],
  ['fewer probes than workers', /new code/, { probes: { ...probes, after: ['refused'] } }],
  ['an ordinary multiget refused', /ordinary/, { ordinary: four('refused') }],
  ['a victim that lives', /unpatched/, { overflow: { ...overflow, unpatched: { answer: 'values', ending: null } } }],
  ['a patched server that ended', /run on/, { overflow: { ...overflow, patched: overflow.unpatched } }],
  ['a failed request', /no request to fail, found 1 \(why\)/, { totals: { ...totals, failed: 1, failures: ['why'] } }],
  ['a dropped connection', /dropped/, { totals: { ...totals, dropped: 1 } }],
  ['an empty window', /window during/, { windows: { ...windows, during: { ...stats, requests: 0 } } }],
];
for (const [title, message, part] of lacking)
  test(`${title} is a problem, and the only one`, () => {
    const problems = problemsOf({ ...good, ...part });
    assert.is(problems.length, 1, problems.join('\n'));
    assert.match(problems[0]!, message);
  });

test.run();
