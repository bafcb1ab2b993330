// SPDX-License-Identifier: MIT
// guest: plain
// guest, --long: debug
// timeout: 1200
/** Several patches on one process: over each other, beside each other, back again, and while others are still under way. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as library from '../../runtime/index.js';
import { type JobOptions, RuntimeError } from '../../runtime/index.js';
import { CLI, fixture, planner, type Ran, type Version, Workers } from './workers.js';

const folder = mkdtempSync(join(tmpdir(), 'driftpatch-generations-'));
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

/** The patch from version 1 to `version`, made by the planner. */
function patchTo(version: Version): string {
  const file = join(folder, `v${version}.drift`);
  const made = planner('diff', fixture('workers-1'), fixture(`workers-${version}`), '-o', file);
  assert.is(made.status, 0, made.stderr);
  return file;
}

const fixAnswer = patchTo(2);
const fixBoth = patchTo(3);
const fixHold = patchTo(4);
const fixBlock = patchTo(5);

const nameOf = (file: string) => basename(file, '.drift');
type Options = Pick<JobOptions, 'timeout' | 'consistency'>;
const entry: Options = { consistency: 'entry' };
// In this process, as a program that uses the library: a command of its own for each step would take minutes here.
const apply = (file: string, { pid }: Workers, options: Options = {}) =>
  library.apply(readFileSync(file), { pid, timeout: 60, ...options });
const revert = (file: string, { pid }: Workers, options: Options = {}) =>
  library.revert(nameOf(file), { pid, timeout: 60, ...options });

/** The refusal that `action` ends with. */
async function refused(action: Promise<unknown>): Promise<RuntimeError> {
  try {
    await action;
  } catch (error) {
    assert.instance(error, RuntimeError);
    return error as RuntimeError;
  }
  return assert.unreachable('expected a refusal') as never;
}

/** What the process carries, by the patch's name. */
const carried = ({ pid }: Workers) =>
  Object.fromEntries(library.status({ pid }).processes[0]!.patches.map((patch) => [patch.name, patch]));
const states = (workers: Workers, ...files: string[]) => {
  const found = carried(workers);
  return files.map((file) => found[nameOf(file)]?.state);
};

/** Until every thread that calls answer() gets that of `version`; the blocked and the held one are let go for it. */
async function allAnswer(workers: Workers, version: Version): Promise<void> {
  const wanted = (name: string) => (version === 1 ? 1 : version * 100 + name.length);
  workers.send('wake');
  workers.send('release');
  const report = await workers.until(({ threads }) => threads.every(({ name, answer }) => answer === wanted(name)));
  assert.is(report.whole, true);
}

async function held(workers: Workers, value: number): Promise<void> {
  workers.send('release');
  await workers.until(({ threads }) => threads.some((thread) => thread.name === 'holder' && thread.held === value));
}

test('a patch is reverted as it was applied: every thread runs the old code again', async () => {
  const workers = await start();
  await apply(fixAnswer, workers);
  await allAnswer(workers, 2);

  // Strictly it might take a while: what answer() has left on a stack may look like a call that has not returned.
  const back = await revert(fixAnswer, workers, entry);
  assert.equal([back.state, back.already, back.patch], ['reverted', false, nameOf(fixAnswer)]);
  assert.equal(back.threads, { total: 6, migrated: 6 });
  await allAnswer(workers, 1);
  assert.equal(states(workers, fixAnswer), ['inactive']);

  const again = await revert(fixAnswer, workers);
  assert.equal([again.state, again.already], ['reverted', true]);
  const other = await refused(revert(fixHold, workers));
  assert.is(other.code, 'NOT_CARRIED');
});

test('ten rounds of applying and reverting leave one arena, and the old text', async () => {
  const workers = await start();
  const text = () => textOf(workers);
  const before = text();
  await apply(fixBoth, workers, entry);
  const arenas = workers.arenas();
  for (let round = 0; round < 10; round++) {
    await revert(fixBoth, workers, entry);
    assert.equal(text(), before, `round ${round}`);
    await apply(fixBoth, workers, entry);
  }
  assert.equal(workers.arenas(), arenas);
  await allAnswer(workers, 3);
});

/** The executable mapping of the program, as the main thread sees it. */
function textOf(workers: Workers): string {
  const line = readFileSync(`/proc/${workers.pid}/maps`, 'utf8')
    .split('\n')
    .find((one) => / r-xp .*workers-1$/.test(one))!;
  const [start, end] = line
    .split(' ')[0]!
    .split('-')
    .map((part) => Number.parseInt(part, 16));
  return workers.read(start!, end! - start!).toString('base64');
}

test('a patch over a patch: it takes its place, keeps it from being reverted, and gives it back', async () => {
  const workers = await start();
  await apply(fixAnswer, workers);
  await apply(fixBoth, workers, entry);
  await allAnswer(workers, 3);
  assert.equal(states(workers, fixAnswer, fixBoth), ['applied', 'applied']);
  assert.equal(carried(workers)[nameOf(fixAnswer)]!.under, [nameOf(fixBoth)]);
  assert.equal((await apply(fixAnswer, workers)).already, true);

  const covered = await refused(revert(fixAnswer, workers));
  assert.is(covered.code, 'COVERED');
  assert.match(covered.message, new RegExp(`revert ${nameOf(fixBoth)} first`));
  const half = await refused(apply(fixHold, workers));
  assert.is(half.code, 'NOT_CUMULATIVE');
  assert.match(half.message, /replaces hold, which .* patches together with answer/);

  await revert(fixBoth, workers, entry);
  await allAnswer(workers, 2);
  await revert(fixAnswer, workers);
  await allAnswer(workers, 1);

  // The other way round, the old arena of each is used again, over something else than before.
  const arenas = workers.arenas();
  await apply(fixBoth, workers, entry);
  await allAnswer(workers, 3);
  await revert(fixBoth, workers, entry);
  await allAnswer(workers, 1);
  assert.equal(workers.arenas(), arenas);
});

test('patches beside each other are reverted in any order', async () => {
  const workers = await start();
  await apply(fixAnswer, workers);
  await apply(fixHold, workers, entry);
  await apply(fixBlock, workers, entry);
  await revert(fixAnswer, workers);
  await allAnswer(workers, 1);
  await held(workers, 4007);
  await revert(fixBlock, workers, entry);
  await revert(fixHold, workers, entry);
  assert.equal(states(workers, fixAnswer, fixHold, fixBlock), ['inactive', 'inactive', 'inactive']);
  workers.send('release');
  await held(workers, 7);
});

test('a patch that waits for a thread is reverted at once, and that thread never notices', async () => {
  const workers = await start();
  assert.is((await apply(fixHold, workers, { timeout: 1 })).state, 'pending');
  const back = await revert(fixHold, workers, { timeout: 20 });
  assert.equal([back.state, back.threads], ['reverted', { total: 6, migrated: 6 }]);
  assert.equal(states(workers, fixHold), ['inactive']);
  await held(workers, 7);
});

test('three generations in flight: each says truly who runs it, and all are done when the last thread comes', async () => {
  const workers = await start();
  assert.is((await apply(fixHold, workers, { timeout: 1 })).state, 'pending');
  // the blocked thread runs fixHold by now, and cannot go on to a text in which block() is another
  assert.is((await apply(fixBlock, workers, { timeout: 1 })).state, 'pending');
  assert.is((await apply(fixAnswer, workers, { timeout: 1 })).state, 'pending');
  const now = carried(workers);
  assert.equal(states(workers, fixHold, fixBlock, fixAnswer), ['pending', 'pending', 'pending']);
  const waiting = (file: string) => now[nameOf(file)]!.pending.map(({ name }) => name).sort();
  assert.equal(waiting(fixHold), ['holder']);
  assert.equal(waiting(fixBlock), ['blocked', 'holder']);
  assert.equal(waiting(fixAnswer), ['blocked', 'holder']);
  assert.equal(now[nameOf(fixHold)]!.threads, { total: 6, migrated: 5 });
  await workers.until(({ threads }) =>
    threads.every(({ name, answer }) => /blocked|holder/.test(name) || answer > 200),
  );

  workers.send('wake');
  workers.send('release');
  // whichever of them is asked for, all are done with it
  await apply(fixHold, workers);
  assert.equal(states(workers, fixHold, fixBlock, fixAnswer), ['applied', 'applied', 'applied']);
  await allAnswer(workers, 2);
  await held(workers, 4007);
});

test('a patch that no thread could come to yet is carried on by the next one', async () => {
  const child = spawn(fixture('alone-1'), { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    const next = async () => (await lines.next()).value;
    await next();
    const file = (version: number) => {
      const patch = join(folder, `alone-${version}.drift`);
      assert.is(planner('diff', fixture('alone-1'), fixture(`alone-${version}`), '-o', patch).status, 0);
      return readFileSync(patch);
    };
    // its only thread waits in one(): it comes to neither patch before it has its line
    const pid = child.pid!;
    assert.is((await library.apply(file(2), { pid, timeout: 0.5 })).state, 'pending');
    assert.is((await library.apply(file(3), { pid, timeout: 0.5 })).state, 'pending');
    child.stdin!.write('\n');
    assert.is(await next(), '1 1');
    for (let left = 100; ; left--) {
      child.stdin!.write('\n');
      const said = await next();
      if (said === '2 3') break;
      assert.ok(left > 0, `said ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.is((await library.apply(file(3), { pid })).state, 'applied');
  } finally {
    child.kill('SIGKILL');
  }
});

test('back and forth while a thread stays in the new code: a pending revert goes on, and can be taken back', async () => {
  const workers = await start();
  assert.is((await apply(fixHold, workers, { timeout: 1 })).state, 'pending');
  workers.send('release');
  await apply(fixHold, workers);
  // the holder sits in the new hold() before long
  await held(workers, 4007);
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.is((await revert(fixHold, workers, { timeout: 1 })).state, 'pending');
  const { state, pending } = carried(workers)[nameOf(fixHold)]!;
  assert.equal([state, pending.map(({ name }) => name)], ['reverting', ['holder']]);
  assert.is((await revert(fixHold, workers, { timeout: 0 })).state, 'pending');

  const arenas = workers.arenas();
  await apply(fixHold, workers);
  assert.equal(workers.arenas(), arenas);
  await held(workers, 4007);

  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.is((await revert(fixHold, workers, { timeout: 1 })).state, 'pending');
  workers.send('release');
  const back = await revert(fixHold, workers);
  assert.equal([back.state, back.already], ['reverted', false]);
  await held(workers, 7);
});

test('many at once on one process: each is done or says why not, and what it carries then is what they said', async () => {
  const workers = await start();
  const on = ['--pid', String(workers.pid), '--json'];
  for (let round = 0; round < 3; round++) {
    const runs = await Promise.all(
      [
        ['apply', fixAnswer, ...on],
        ['apply', fixBlock, ...on, '--consistency', 'entry'],
        ['apply', fixAnswer, ...on],
      ].map(inBackground),
    );
    for (const run of runs) assert.is(stateOf(run), 'applied');
    await allAnswer(workers, 2);
    assert.equal(states(workers, fixAnswer, fixBlock), ['applied', 'applied']);

    const back = await Promise.all(
      [fixBlock, fixAnswer].map((file) => inBackground(['revert', nameOf(file), ...on, '--consistency', 'entry'])),
    );
    for (const run of back) assert.is(stateOf(run), 'reverted');
    await allAnswer(workers, 1);
    assert.equal(states(workers, fixAnswer, fixBlock), ['inactive', 'inactive']);
  }
  const code = workers.arenas().filter((line) => / r-xp /.test(line));
  assert.ok(code.length <= 2, code.join('\n'));
});

function stateOf({ status, stdout, stderr }: Ran): string {
  assert.is(status, 0, `${stdout}${stderr}`);
  return JSON.parse(stdout).state;
}

function inBackground(args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [CLI, ...args]);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

test.run();
