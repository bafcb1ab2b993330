// SPDX-License-Identifier: MIT
// guest: plain
// guest, --long: debug
// timeout: 600
/** --mode stop in the guest, beside the wait-free way: the same patch files, the same record. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { answerOf, isFree } from '../fault-walk.js';
import { driftpatch, fixture, planner, type Ran, Workers } from './workers.js';

const folder = mkdtempSync(join(tmpdir(), 'driftpatch-stop-'));
const started: Workers[] = [];
test.after(() => rmSync(folder, { recursive: true }));
test.after.each(() => {
  for (const workers of started.splice(0)) workers.stop();
});

async function start(): Promise<Workers> {
  const workers = await Workers.start(1);
  started.push(workers);
  return workers;
}

function patchTo(version: 2 | 3): string {
  const file = join(folder, `to-${version}.drift`);
  const made = planner('diff', fixture('workers-1'), fixture(`workers-${version}`), '-o', file);
  assert.is(made.status, 0, made.stderr);
  return file;
}
const fixAnswer = patchTo(2);
const fixHold = patchTo(3);

function json(ran: Ran, status: number) {
  assert.is(ran.status, status, `${ran.stdout}${ran.stderr}`);
  return JSON.parse(ran.stdout);
}

const apply = (mode: 'stop' | 'wait-free', file: string, workers: Workers, ...more: string[]) =>
  driftpatch('apply', file, '--pid', String(workers.pid), '--mode', mode, '--json', ...more);

async function allRun(workers: Workers, version: number): Promise<void> {
  workers.send('wake');
  workers.send('release');
  const report = await workers.until(({ threads }) =>
    threads.every(({ name, answer }) => answer === answerOf(version, name)),
  );
  assert.ok(report.whole && isFree(workers.pid));
}

for (const [first, second] of [
  ['stop', 'wait-free'],
  ['wait-free', 'stop'],
] as const)
  test(`what the way called ${first} has applied the one called ${second} finds, and takes back`, async () => {
    const workers = await start();
    const result = json(apply(first, fixAnswer, workers), 0);
    assert.equal([result.state, result.already], ['applied', false]);
    assert.equal(result.threads, { total: 6, migrated: 6 });
    assert.ok(result.timing.transitionUs > 0);
    await allRun(workers, 2);

    const [patch] = json(driftpatch('status', '--pid', String(workers.pid), '--json'), 0).processes[0].patches;
    assert.equal([patch.state, patch.functions], ['applied', ['answer']]);
    const arenas = workers.arenas();
    assert.ok(arenas.length > 0 && arenas.every((line) => !/wx/.test(line)), arenas.join('\n'));
    const again = json(apply(second, fixAnswer, workers), 0);
    assert.equal([again.state, again.already], ['applied', true]);
    assert.equal(workers.arenas(), arenas);

    const back = driftpatch('revert', 'to-2', '--pid', String(workers.pid), '--mode', second, '--json');
    assert.is(json(back, 0).state, 'reverted');
    await allRun(workers, 1);
  });

test('a thread inside a patched function: status 4, who it is, and nothing has changed', async () => {
  const workers = await start();
  const refused = json(apply('stop', fixHold, workers, '--timeout', '1'), 4);
  assert.is(refused.state, 'refused');
  assert.is(refused.refusals[0].code, 'HELD');
  assert.match(refused.refusals[0].message, /thread \d+ \(holder\) is in hold\+0x/);
  assert.equal(workers.arenas(), []);
  const report = await workers.report();
  assert.ok(report.whole && report.threads.every(({ answer }) => answer === 1) && isFree(workers.pid));

  // mostly outside of hold(), for a minute
  for (let i = 0; i < 200; i++) workers.send('release');
  assert.is(json(apply('stop', fixHold, workers), 0).state, 'applied');
  await allRun(workers, 3);
});

test('with entry consistency nobody is waited for', async () => {
  const workers = await start();
  assert.is(json(apply('stop', fixHold, workers, '--consistency', 'entry'), 0).state, 'applied');
  await allRun(workers, 3);
});

test.run();
