// SPDX-License-Identifier: MIT
// guest: plain
// guest, --long: debug
// timeout: 600
/**
 * The target needs to know nothing of it, and may be locked in: seccomp, memory that is never made executable, another root, namespaces
 * of its own, a file that is gone or another by now. What runs is what counts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { driftpatch, fixture, planner } from './workers.js';

const folder = mkdtempSync(join(tmpdir(), 'driftpatch-confined-'));
const started: ChildProcess[] = [];
test.after(() => rmSync(folder, { recursive: true }));
test.after.each(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

const patch = join(folder, 'fix.drift');
const made = planner('diff', fixture('confined-1'), fixture('confined-2'), '-o', patch);
assert.is(made.status, 0, made.stderr);

async function start(command: string, ...args: string[]) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  started.push(child);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  assert.is((await lines.next()).value, 'ready');
  const says = async () => {
    child.stdin!.write('\n');
    return Number((await lines.next()).value);
  };
  return { pid: child.pid!, says };
}

type Server = Awaited<ReturnType<typeof start>>;

async function becomes(server: Server, answer: number): Promise<void> {
  for (let left = 500; left > 0; left--) {
    if ((await server.says()) === answer) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.is(await server.says(), answer);
}

/** Patched from version 1 to 2. */
async function isPatched(server: Server, pid = server.pid): Promise<void> {
  await becomes(server, 11);
  const applied = driftpatch('apply', patch, '--pid', String(pid), '--json');
  assert.is(applied.status, 0, applied.stderr);
  await becomes(server, 12);
  const { processes } = JSON.parse(driftpatch('status', '--pid', String(pid), '--json').stdout);
  assert.is(processes[0].patches[0].state, 'applied');
}

for (const locks of [['seccomp'], ['mdwe'], ['chroot'], ['mdwe', 'chroot', 'seccomp']])
  test(`a server that has locked itself in is patched: ${locks.join(', ')}`, async () => {
    await isPatched(await start(fixture('confined-1'), ...locks));
  });

for (const kind of ['headless', 'vfork'])
  test(`an odd server is patched, and goes back: ${kind}`, async () => {
    const server = await start(fixture('confined-1'), kind);
    await isPatched(server);
    const reverted = driftpatch('revert', 'fix', '--pid', String(server.pid));
    assert.is(reverted.status, 0, reverted.stderr);
    await becomes(server, 11);
  });

test('a server in user, pid and mount namespaces of its own is patched from outside', async () => {
  const words = ['-U', '-r', '-p', '-f', '-m', '--kill-child', fixture('confined-1'), 'seccomp'];
  const outer = await start('unshare', ...words);
  const inner = readdirSync(`/proc/${outer.pid}/task/${outer.pid}`).includes('children')
    ? readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8').trim()
    : '';
  assert.match(inner, /^\d+$/);
  assert.match(readFileSync(`/proc/${inner}/status`, 'utf8'), /^NSpid:\t\d+\t1$/m);
  await isPatched(outer, Number(inner));
});

test('a server whose file has been removed is patched', async () => {
  const file = join(folder, 'removed');
  copyFileSync(fixture('confined-1'), file);
  const server = await start(file);
  rmSync(file);
  await isPatched(server);
});

test('a server whose file has been replaced by the fixed one is patched; one that runs the fixed one is refused', async () => {
  const file = join(folder, 'upgraded');
  copyFileSync(fixture('confined-1'), file);
  const server = await start(file);
  const next = join(folder, 'upgraded.new');
  copyFileSync(fixture('confined-2'), next);
  renameSync(next, file);
  await isPatched(server);
  const fresh = await start(file);
  const refused = driftpatch('apply', patch, '--pid', String(fresh.pid));
  assert.is(refused.status, 4);
  assert.match(refused.stderr, /the patch is for confined-1/);
  await becomes(fresh, 12);
});

test.run();
