// SPDX-License-Identifier: MIT
// guest: plain
// prepare: evaluations
// timeout: 180
/**
 * A redis with four threads for input and output is patched and reverted under load, twice and once more: what
 * `npm run evaluate -- corpus` does with many fixes of many servers. And what is wrong with a server is noticed.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCase } from '../../zx-scripts/evaluate/corpus/trial.js';
import { type PlanInTests, planFile } from '../../zx-scripts/evaluate/in-tests.js';
import { talk } from '../../zx-scripts/servers/talk.js';

const project = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '');
const { corpus: job } = JSON.parse(readFileSync(planFile(project), 'utf8')) as PlanInTests;

test('a fix of redis is applied, seen, reverted, and applied again, and no request fails', async () => {
  const result = await runCase(job);
  assert.equal(result.problems, []);
  assert.equal([result.applied, result.reverted], [job.rounds + 1, job.rounds]);
  assert.equal(result.behaviour, { old: '-one', new: '-one  two' });
  assert.equal([result.totals.failed, result.totals.dropped, result.totals.connections], [0, 0, 16]);
  assert.ok(result.totals.requests > 100 && result.threads >= 7, JSON.stringify(result));
});

test('connections that the server ends on purpose are noticed, each of them', async () => {
  const result = await runCase({ ...job, rounds: 1 }, async (_, { port }) => {
    await talk(port, 'CLIENT KILL TYPE normal SKIPME yes\r\n', (heard) => heard.includes('\r\n'));
  });
  assert.is(result.totals.dropped, 16, JSON.stringify(result.totals));
  assert.ok(
    result.problems.some((problem) => problem.startsWith('expected no connection to be dropped, found 16 of 16')),
    JSON.stringify(result.problems),
  );
});

test.run();
