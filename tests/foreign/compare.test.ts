// SPDX-License-Identifier: MIT
// What counts as a difference between a run with views and one without.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { complaintsByTest } from '../../zx-scripts/foreign/both-ways.js';
import { compare } from '../../zx-scripts/foreign/compare.js';
import { verdicts } from '../../zx-scripts/foreign/run-tests.js';

const ran = (name: string, outcome: string) => ({ name, outcome, seconds: 1, tail: `${name} says` });
const seconds = { off: 1, on: 1 };
const verdictOf = (...runs: Parameters<typeof compare>) => compare(...runs).map(({ verdict }) => verdict);

test('equal outcomes are the same, failures too', () => {
  assert.equal(verdictOf([ran('a', 'status 1')], [ran('a', 'status 1')]), ['same']);
});

test('another outcome in a view is a difference, and what the test printed there is kept', () => {
  const rows = compare([ran('a', 'status 0')], [ran('a', 'signal SIGSEGV')]);
  assert.equal(rows, [
    { name: 'a', off: 'status 0', on: 'signal SIGSEGV', verdict: 'differs', seconds, tail: 'a says' },
  ]);
});

test('a difference that is there without views as well is unsteady, and all runs are shown', () => {
  const again = { off: [ran('a', 'status 1')], on: [ran('a', 'status 1')] };
  const rows = compare([ran('a', 'status 0')], [ran('a', 'status 1')], again);
  assert.equal(rows, [
    { name: 'a', off: 'status 0 | status 1', on: 'status 1 | status 1', verdict: 'unsteady', seconds },
  ]);
});

test('a difference that stays is one', () => {
  const again = { off: [ran('a', 'status 0')], on: [ran('a', 'late')] };
  assert.equal(verdictOf([ran('a', 'status 0')], [ran('a', 'status 1')], again), ['differs']);
});

test('what happened only in a view is a difference, even if it happened once', () => {
  const again = { off: [ran('a', 'status 0')], on: [ran('a', 'status 0')] };
  const [row] = compare([ran('a', 'status 0')], [{ ...ran('a', 'status 1'), tail: 'lost a byte' }], again);
  assert.equal([row?.verdict, row?.tail], ['differs', 'lost a byte']);
});

test('a test without a result on one side differs', () => {
  assert.equal(verdictOf([ran('a', 'status 0')], []), ['differs']);
});

test('a complaint of the kernel is told with the test that ran then, and how', () => {
  const console = [
    '[    1.000000] Linux',
    '[    2.000000] driftpatch: cow, without views',
    '[    3.000000] driftpatch: cow, with a view for every process',
    '[    3.500000] WARNING: CPU: 0 PID: 1 at mm/x.c:1',
    '[    4.000000] driftpatch: mmap, without views',
  ].join('\n');
  assert.equal(complaintsByTest({ console, complaints: ['x'] }), [
    'cow, with a view for every process: [    3.500000] WARNING: CPU: 0 PID: 1 at mm/x.c:1',
  ]);
  assert.equal(complaintsByTest({ console: '', complaints: ['kernel tainted: warning'] }), ['kernel tainted: warning']);
});

test('the verdicts of TAP: counts, and the names of what failed', () => {
  const output =
    'TAP version 13\n1..4\nok 1 first\n# ok no\nok 2 second # SKIP no hugepages\nnot ok 3 third\nok 4 fourth\n';
  assert.equal(verdicts(output), ['2 ok', '1 skipped', 'not ok: third']);
  assert.equal(verdicts('it works\n'), []);
});

test.run();
