// SPDX-License-Identifier: MIT
// guest: plain
// guest, --long: debug
// timeout: 600
/** A program that switches between stacks of its own declares safe points: its threads move in them, and nowhere else. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { driftpatch, fixture, planner } from './workers.js';

const folder = mkdtempSync(join(tmpdir(), 'driftpatch-safe-points-'));
const started: ChildProcess[] = [];
test.after(() => rmSync(folder, { recursive: true }));
test.after.each(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

const patch = join(folder, 'fix.drift');
const made = planner('diff', fixture('coroutines-1'), fixture('coroutines-2'), '-o', patch);
assert.is(made.status, 0, made.stderr);

interface Thread {
  readonly answer: number;
  readonly rounds: number;
  /** Calls of answer() that ended as another version than they began. */
  readonly broken: number;
}

function start() {
  const child = spawn(fixture('coroutines-1'), { stdio: ['pipe', 'pipe', 'inherit'] });
  started.push(child);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const ask = async (command: 'report' | 'away' | 'back'): Promise<Thread[]> => {
    child.stdin!.write(`${command}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`the process has ended (${child.exitCode ?? child.signalCode})`);
    return JSON.parse(value);
  };
  const until = async (condition: (threads: Thread[]) => boolean): Promise<Thread[]> => {
    for (let left = 1000; ; left--) {
      const threads = await ask('report');
      assert.equal(
        threads.map(({ broken }) => broken),
        threads.map(() => 0),
      );
      if (condition(threads)) return threads;
      if (left === 0) throw new Error(JSON.stringify(threads));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return { pid: String(child.pid), ask, until };
}

const all = (answer: number) => (threads: Thread[]) => threads.every((thread) => thread.answer === answer);

test('threads with coroutines suspended in the old function come along, and each call ends as it began', async () => {
  const target = start();
  await target.until(all(100));
  const applied = driftpatch('apply', patch, '--pid', target.pid, '--json');
  assert.is(applied.status, 0, applied.stderr);
  assert.equal(JSON.parse(applied.stdout).threads, { total: 4, migrated: 4 });
  const [{ rounds }] = (await target.until(all(200))) as [Thread];
  await target.until(([first]) => first!.rounds > rounds + 20);
});

test('a thread that comes to no safe point keeps the patch pending, and its name is told', async () => {
  const target = start();
  await target.until(all(100));
  await target.ask('away');
  const pending = driftpatch('apply', patch, '--pid', target.pid, '--timeout', '2', '--json');
  assert.is(pending.status, 5, pending.stderr);
  const result = JSON.parse(pending.stdout);
  assert.equal(result.threads, { total: 4, migrated: 3 });
  assert.equal(
    result.pending.map(({ why }: { why: string }) => why),
    ['safe-point'],
  );
  assert.match(driftpatch('status', '--pid', target.pid).stdout, /has not come to a safe point of its program yet/);
  await target.until((threads) => threads.map(({ answer }) => answer).join() === '200,200,100');

  await target.ask('back');
  const applied = driftpatch('apply', patch, '--pid', target.pid, '--json');
  assert.is(applied.status, 0, applied.stderr);
  await target.until(all(200));
});

test('it is reverted in the same way, and applied again', async () => {
  const target = start();
  for (const [words, answer] of [
    [['apply', patch], 200],
    [['revert', 'fix'], 100],
    [['apply', patch], 200],
  ] as const) {
    const done = driftpatch(...words, '--pid', target.pid);
    assert.is(done.status, 0, done.stderr);
    await target.until(all(answer));
  }
});

test('--mode stop is refused: a stopped thread need not be in a safe point', async () => {
  const target = start();
  const refused = driftpatch('apply', patch, '--pid', target.pid, '--mode', 'stop');
  assert.is(refused.status, 4);
  assert.match(refused.stderr, /declares safe points/);
  await target.until(all(100));
});

test.run();
