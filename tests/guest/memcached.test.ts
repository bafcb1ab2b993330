// SPDX-License-Identifier: MIT
// guest: plain debug
// prepare: memcached
// timeout: 600
/** The main job on a real program: a memcached that serves under load gets a security fix, and nobody notices. */
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { demoFolder, names } from '../../zx-scripts/demo/names.js';
import { runTrial, type TrialEvent } from '../../zx-scripts/demo/trial.js';
import { problemsOf } from '../../zx-scripts/demo/verdict.js';

const project = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '');

const events: TrialEvent[] = [];
const outcome = await runTrial({
  program: `${demoFolder(project)}/${names.old}`,
  patchFile: `${demoFolder(project)}/${names.patch}`,
  windowSeconds: 2,
  warmSeconds: 4,
  onEvent: (event) => void events.push(event),
});

test('everything that the demo claims holds', () => {
  assert.equal(problemsOf(outcome), []);
});

test('the same connections see the bug before the patch, and the refusal after it', () => {
  assert.equal(outcome.probes, { before: Array(4).fill('values'), after: Array(4).fill('refused') });
  assert.equal(outcome.ordinary, Array(4).fill('values'));
});

test('the request that ends an unpatched server does not end the patched one', () => {
  assert.match(outcome.overflow.unpatched.ending ?? 'runs on', /^SIG(SEGV|ABRT|BUS)$/);
  assert.equal(outcome.overflow.patched, { answer: 'refused', ending: null });
});

test('no request failed and no connection was dropped, before, during and after', () => {
  const { totals, windows } = outcome;
  assert.equal([totals.failed, totals.dropped, totals.failures], [0, 0, []]);
  assert.is(totals.connections, 16);
  assert.ok(windows.during.requests > 0 && windows.transition.requests > 0, JSON.stringify(windows));
});

test('each thread of the server migrated once and was never stopped', () => {
  const { apply, migrated, looks } = outcome;
  assert.equal([apply.state, apply.already, apply.pending], ['applied', false, []]);
  assert.is(new Set(migrated.map(({ tid }) => tid)).size, apply.threads.total);
  assert.is(migrated.filter(({ name }) => name === 'mc-worker').length, 4);
  assert.ok(looks.looks >= 5, `only ${looks.looks} looks`);
  assert.equal([looks.stopped, looks.traced], [0, 0]);
  const told = events.filter(({ kind }) => kind === 'migrated').length;
  assert.is(told, migrated.length);
});

test.run();
