// SPDX-License-Identifier: MIT
// guest: plain
// guest, --long: debug
// timeout: 900
/** A live process is patched with the real commands: all its threads run the new code, none waits, its data is whole. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, driftpatch, fixture, LIBRARY, planner, type Ran, Workers } from './workers.js';

const folder = mkdtempSync(join(tmpdir(), 'driftpatch-guest-'));
const started: Workers[] = [];
test.after(() => rmSync(folder, { recursive: true }));
test.after.each(() => {
  for (const workers of started.splice(0)) workers.stop();
});

async function start(version: 1 | 2 | 3 = 1): Promise<Workers> {
  const workers = await Workers.start(version);
  started.push(workers);
  return workers;
}

/** The patch from version 1 to `version`, made by the planner. */
function patchTo(version: 2 | 3): string {
  const file = join(folder, `to-${version}.drift`);
  const made = planner('diff', fixture('workers-1'), fixture(`workers-${version}`), '-o', file);
  assert.is(made.status, 0, made.stderr);
  return file;
}

chmodSync(folder, 0o755);
const fixAnswer = patchTo(2);
const fixHold = patchTo(3);

/** What answer() gives a thread of this name in each version. */
const answerOf = (version: number, name: string) => (version === 1 ? 1 : version * 100 + name.length);

function json(ran: Ran, status: number) {
  assert.is(ran.status, status, `${ran.stdout}${ran.stderr}`);
  return JSON.parse(ran.stdout);
}

const apply = (file: string, workers: Workers, ...more: string[]) =>
  driftpatch('apply', file, '--pid', String(workers.pid), ...more);

/** Every thread that can have called answer() since then runs `version`, after the blocked ones have been let go. */
async function allRun(workers: Workers, version: number): Promise<void> {
  workers.send('wake');
  workers.send('release');
  const report = await workers.until(({ threads }) =>
    threads.every(({ name, answer }) => answer === answerOf(version, name)),
  );
  assert.is(report.whole, true);
}

test('every thread of a live process runs the new function, running, sleeping and blocked ones', async () => {
  const workers = await start();
  const before = await workers.report();
  assert.ok(before.threads.every(({ answer }) => answer === 1));

  const result = json(apply(fixAnswer, workers, '--json'), 0);
  assert.equal([result.state, result.already], ['applied', false]);
  assert.equal(result.threads, { total: 6, migrated: 6 });
  assert.ok(result.timing.cloneUs > 0 && result.timing.transitionUs > 0 && result.timing.foldUs > 0);

  await allRun(workers, 2);
  const { patches } = json(driftpatch('status', '--pid', String(workers.pid), '--json'), 0).processes[0];
  assert.equal([patches.length, patches[0].state, patches[0].functions], [1, 'applied', ['answer']]);
  for (const arena of workers.arenas()) assert.not.match(arena, /wx/);
});

test('of a patched process: later threads run the new function, and the same patch is done', async () => {
  const workers = await start();
  json(apply(fixAnswer, workers, '--json'), 0);
  workers.send('spawn');
  await workers.until(({ threads }) =>
    threads.some(({ name, answer }) => name === 'newborn' && answer === answerOf(2, name)),
  );

  const arenas = workers.arenas();
  const again = json(apply(fixAnswer, workers, '--json'), 0);
  assert.equal([again.state, again.already], ['applied', true]);

  assert.equal(workers.arenas(), arenas);
});

test('a thread inside a patched function holds up itself alone: status 5, its name, and completion later', async () => {
  const workers = await start();
  const pid = String(workers.pid);
  const result = json(apply(fixHold, workers, '--json', '--timeout', '2'), 5);
  assert.is(result.state, 'pending');
  assert.equal(result.threads, { total: 6, migrated: 5 });

  // The others are in the new code meanwhile, and go on: nobody waits for the holder.
  const one = await workers.until(({ threads }) =>
    threads.every(({ name, answer }) => /blocked|holder/.test(name) || answer === answerOf(3, name)),
  );
  const two = await workers.until(({ threads }) => threads[0]!.calls > one.threads[0]!.calls);
  assert.is(two.whole, true);
  assert.is(two.threads.find(({ name }) => name === 'holder')!.answer, 1);
  const { longestMs } = two.threads.find(({ name }) => name === 'spinner')!;
  assert.ok(longestMs < 2000, `the spinner has missed ${longestMs} ms of the 2 s and more that this takes`);

  const status = json(driftpatch('status', '--pid', pid, '--json'), 0).processes[0].patches[0];
  assert.is(status.state, 'pending');
  assert.is(status.pending.length, 1);
  assert.is(status.pending[0].name, 'holder');
  assert.is(status.pending[0].place.function, 'hold');
  assert.match(driftpatch('status').stdout, /thread \d+ \(holder\) is in hold\+0x[0-9a-f]+, called from be_held\+0x/);

  workers.send('release');
  const later = json(apply(fixHold, workers, '--json'), 0);
  assert.equal([later.state, later.threads], ['applied', { total: 6, migrated: 6 }]);
  await allRun(workers, 3);
  workers.send('release');
  await workers.until(({ threads }) => threads.some(({ held }) => held === 3007));
});

test('who interrupts the command is told how far the transition has come, which goes on: status 5', async () => {
  const workers = await start();
  const child = spawn(process.execPath, [CLI, 'apply', fixHold, '--pid', String(workers.pid), '--verbose']);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    const before = stderr.includes('5 of 6');
    stderr += chunk;
    if (!before && stderr.includes('5 of 6')) child.kill('SIGINT');
  });
  const code = await new Promise((resolve) => child.once('close', (status, signal) => resolve(status ?? signal)));
  assert.is(code, 5, stderr);
  assert.match(
    stdout,
    /under way, 5 of 6 threads have migrated; still to go:\n {2}thread \d+ \(holder\) is in hold\+0x/,
  );
  workers.send('release');
  await allRun(workers, 3);
  assert.is(json(apply(fixHold, workers, '--json'), 0).state, 'applied');
});

test('with entry consistency a thread deep inside does not hold anything up', async () => {
  const workers = await start();
  const result = json(apply(fixHold, workers, '--json', '--consistency', 'entry'), 0);
  assert.is(result.state, 'applied');
  workers.send('release');
  await workers.until(({ threads }) => threads.some(({ held }) => held === 7));
  workers.send('release');
  await workers.until(({ threads }) => threads.some(({ held }) => held === 3007));
});

test('doctor finds nothing missing here', () => {
  const { ok, modes } = json(driftpatch('doctor', '--json'), 0);
  assert.equal([ok, modes], [true, { 'wait-free': true, stop: true }]);
});

test('a patch for another build is refused, and names what runs', async () => {
  const workers = await start(3);
  const ran = apply(fixAnswer, workers);
  assert.is(ran.status, 4);
  assert.match(ran.stderr, /runs .*workers-3 with build id [0-9a-f]{40}, the patch is for workers-1 [0-9a-f]{40}/);
  assert.equal(workers.arenas(), []);
});

/** Applies with the library in a process that kills itself at the first event that satisfies `condition`. */
function applyKilledAt(condition: string, workers: Workers): void {
  const script = `
    import { readFileSync } from 'node:fs';
    import { apply } from ${JSON.stringify(LIBRARY)};
    const onEvent = (event) => { if (${condition}) process.kill(process.pid, 'SIGKILL'); };
    await apply(readFileSync(${JSON.stringify(fixAnswer)}), { pid: ${workers.pid}, onEvent });`;
  const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.is(signal, 'SIGKILL', stderr);
}

test('killed at any step before the transition, it leaves nothing behind, and a later apply does it', async () => {
  const workers = await start();
  for (const step of ['identify', 'clone', 'link', 'write', 'migrate']) {
    applyKilledAt(`event.step === '${step}'`, workers);
    const report = await workers.until(() => workers.arenas().length === 0);
    assert.ok(
      report.threads.every(({ answer }) => answer === 1),
      step,
    );
  }
  json(apply(fixAnswer, workers, '--json'), 0);
  await allRun(workers, 2);
});

for (const [when, condition] of [
  ['during the transition', `event.kind === 'progress'`],
  ['before the fold', `event.kind === 'progress' && event.migrated === event.total`],
] as const)
  test(`killed ${when}, the threads migrate all the same, and a later apply folds`, async () => {
    const workers = await start();
    applyKilledAt(condition, workers);
    await allRun(workers, 2);
    const status = json(driftpatch('status', '--pid', String(workers.pid), '--json'), 0).processes[0].patches;
    assert.equal([status.length, status[0].state], [1, 'pending']);
    const result = json(apply(fixAnswer, workers, '--json'), 0);
    assert.equal([result.state, result.already], ['applied', false]);
    await allRun(workers, 2);
  });

test('a process of another user is refused without the right to trace it', async () => {
  const workers = await start();
  const ran = spawnSync('setpriv', [
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    process.execPath,
    new URL('../../runtime/driftpatch.js', import.meta.url).pathname,
    ...['apply', fixAnswer, '--pid', String(workers.pid)],
  ]);
  assert.is(ran.status, 4, String(ran.stderr));
  assert.match(String(ran.stderr), /no permission to change process/);
  assert.equal(workers.arenas(), []);
});

test.run();
