// SPDX-License-Identifier: MIT
// guest: plain
// prepare: evaluations
// timeout: 900
/**
 * What `npm run evaluate` does with synthetic, servers and after, each once and short: every way does what it has to, no request fails,
 * and what is made of the figures has all of them.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type AfterEvent, type AfterRun, afterWays } from '../../zx-scripts/evaluate/after/case.js';
import { afterTable } from '../../zx-scripts/evaluate/after/table.js';
import { measureAfter } from '../../zx-scripts/evaluate/after/trial.js';
import { type PlanInTests, planFile } from '../../zx-scripts/evaluate/in-tests.js';
import { type ServerEvent, serverWays } from '../../zx-scripts/evaluate/servers/case.js';
import { runServer } from '../../zx-scripts/evaluate/servers/trial.js';
import type { SyntheticRun } from '../../zx-scripts/evaluate/synthetic/case.js';
import { syntheticTable } from '../../zx-scripts/evaluate/synthetic/table.js';
import { runCase } from '../../zx-scripts/evaluate/synthetic/trial.js';

const project = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '');
const plan = JSON.parse(readFileSync(planFile(project), 'utf8')) as PlanInTests;

test('a program made for it is changed in each way, and each of its threads runs the change', async () => {
  const { builds, cases } = plan.synthetic;
  for (const job of cases) {
    const { program, patch } = builds[job.size]!;
    const runs: SyntheticRun[] = [];
    await runCase(program, readFileSync(patch), job, (run) => runs.push(run));
    assert.equal(
      runs.map(({ way, state, why }) => [way, state, why]).sort(),
      job.ways.map((way) => [way, 'done', '']).sort(),
    );
    for (const { way, longest, typical, rounds, operation, memory, reached, transition } of runs) {
      for (const windows of [longest, typical, rounds, memory])
        for (const value of Object.values(windows)) assert.ok(value > 0, `${way}: ${JSON.stringify(windows)}`);
      for (const value of Object.values(operation))
        assert.ok(Number.isFinite(value), `${way}: ${JSON.stringify(operation)}`);
      assert.is(reached === null, way === 'elsewhere', way);
      assert.ok(transition! > 0);
    }
    assert.not.match(syntheticTable({ cases: [job], runs }), /NaN|Infinity|undefined/);
  }
});

test('a server is patched in each way, in a closed loop and in an open one, and no request fails', async () => {
  const events: ServerEvent[] = [];
  await runServer(plan.servers.cases[0]!, (event) => events.push(event));
  const ofKind = <Kind extends ServerEvent['kind']>(kind: Kind) =>
    events.filter((event): event is ServerEvent & { kind: Kind } => event.kind === kind);
  const each = (['closed', 'open'] as const).flatMap((loop) => serverWays.map((way) => `${loop} ${way}`)).sort();
  for (const found of [ofKind('run').map(({ run }) => run), ofKind('trace').map(({ trace }) => trace)])
    assert.equal(found.map(({ loop, way }) => `${loop} ${way}`).sort(), each);
  for (const { problems, totals } of ofKind('end')) {
    assert.equal(problems, []);
    assert.ok(totals.requests > 0);
  }
  for (const { run } of ofKind('run'))
    for (const { requests, p50, max } of [run.quiet, run.patched])
      assert.ok(requests > 0 && p50 > 0 && max >= p50, JSON.stringify(run));
});

test('a server that was patched is measured beside one that was restarted', async () => {
  const events: AfterEvent[] = [];
  await measureAfter(plan.after, (event) => events.push(event));
  const runs = events.flatMap((event): AfterRun[] => (event.kind === 'run' ? [event.run] : []));
  assert.equal(runs.map(({ way }) => way).sort(), [...afterWays].sort());
  for (const { perSecond, privateKiB } of runs) assert.ok(perSecond > 0 && privateKiB > 0);
  const ends = events.flatMap((event) => (event.kind === 'end' ? [event] : []));
  assert.equal(
    ends.map(({ problems, totals }) => [problems, totals.failed, totals.dropped]),
    [[[], 0, 0]],
  );
  assert.not.match(afterTable({ runs, ends: [] }), /NaN|Infinity|undefined/);
});

test.run();
