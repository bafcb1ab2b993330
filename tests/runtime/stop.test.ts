// SPDX-License-Identifier: MIT
/** --mode stop on live processes: all threads stop at a safe moment, and none of them notices. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { apply, revert, status } from '../../runtime/index.js';
import { letGo, stopAll } from '../../runtime/ptrace/stop-all.js';
import { refused, Workshop } from './live.js';
import { compileFixture, patchFor, sleep, startIn } from './states.js';

const workshop = new Workshop();
test.after(() => workshop.clear());

const target = compileFixture(workshop, 'states');
const calls = compileFixture(workshop, 'calls');
const CLI = new URL('../../runtime/driftpatch.js', import.meta.url).pathname;
const targetPatch = patchFor(target);

const start = (kind: string) => startIn(kind, target, workshop);
const stop = (pid: number, timeout = 10) => apply(targetPatch, { pid, timeout, mode: 'stop' });
/** Mappings that could be an arena. */
const codeWithoutFile = (pid: number) =>
  readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .filter((line) => / r-xp 00000000 00:00 0 *$/.test(line));
const stateOf = (pid: number) => status({ pid }).processes[0]!.patches.map(({ state }) => state);

test('a process is patched, says so, and is not patched twice', async () => {
  const { pid, ask } = await start('plain');
  const result = await stop(pid);
  assert.equal([result.state, result.already], ['applied', false]);
  assert.ok(result.timing.transitionUs > 0);
  assert.is((await ask()).victim, 42);
  assert.equal(stateOf(pid), ['applied']);
  assert.is(codeWithoutFile(pid).length, 1);
  assert.is((await stop(pid)).already, true);
});

test('of two that come at once one does it, and the other finds it done', async () => {
  const { pid, ask } = await start('plain');
  const file = join(workshop.folder, 'victim.drift');
  writeFileSync(file, targetPatch);
  const command = [CLI, 'apply', file, '--pid', String(pid), '--mode', 'stop', '--json'];
  const run = () => promisify(execFile)(process.execPath, command);
  const results = (await Promise.all([run(), run()])).map(({ stdout }) => JSON.parse(stdout));
  assert.equal(
    results.map(({ state }) => state),
    ['applied', 'applied'],
  );
  assert.equal(results.map(({ already }) => already).sort(), [false, true]);
  assert.is((await ask()).victim, 42);
  assert.is(codeWithoutFile(pid).length, 1);
});

test('what was applied is taken back, and applied again in the same place', async () => {
  const { pid, ask } = await start('plain');
  await stop(pid);
  const arena = codeWithoutFile(pid);
  assert.is((await revert('return-42', { pid, mode: 'stop' })).state, 'reverted');
  assert.is((await ask()).victim, 1);
  assert.equal(stateOf(pid), ['inactive']);
  assert.is((await stop(pid)).state, 'applied');
  assert.is((await ask()).victim, 42);
  assert.equal(codeWithoutFile(pid), arena);
});

test('threads that wait in a system call go on waiting, and for no shorter time', async () => {
  const { pid, child, line } = await workshop.run(calls);
  const count = Number(line.split(' ')[1]);
  let output = '';
  child.stdout!.on('data', (chunk) => (output += chunk));
  const ended = new Promise((resolve) => child.on('close', resolve));
  const result = await apply(patchFor(calls), { pid, mode: 'stop' });
  assert.is(result.threads.total, count + 1);
  child.stdin!.write('\n');
  await ended;
  const found = output.trim().split('\n');
  assert.equal(found, [
    'read 1 -',
    'recv 1 -',
    'recv-timed -1 EAGAIN',
    'epoll 1 -',
    'epoll-timed 0 -',
    'futex 0 -',
    'futex-timed -1 ETIMEDOUT',
    'nanosleep 0 -',
    'clock_nanosleep 0 -',
    'poll 1 -',
    'poll-timed 0 -',
    'ppoll 0 -',
    'select 0 -',
    'sigwait 12 -',
    'victim 42',
  ]);
});

for (const kind of ['sleeper', 'main-registers'])
  test(`a process with one thread does not notice that it was made to do something: ${kind}`, async () => {
    const { pid, until } = await start(kind);
    assert.is((await stop(pid)).state, 'applied');
    const { victim, broken } = await until(42);
    assert.equal([victim, broken], [42, 0]);
  });

test('no signal is lost, however often the process is stopped', async () => {
  const { pid, ask } = await start('signals');
  for (let i = 0; i < 100; i++) letGo(stopAll(pid).tracees);
  await stop(pid);
  process.kill(pid, 'SIGSTOP');
  await sleep(100);
  process.kill(pid, 'SIGCONT');
  for (let { sent } = await ask(); sent < 100; ) ({ sent } = await ask());
  const { sent, got } = await ask();
  // what is queued at this moment is not lost
  assert.ok(got >= sent - 64, `sent ${sent}, got ${got}`);
});

for (const [kind, why] of [
  ['held', /thread \d+ \(holder\) is in victim\+0x/],
  ['handler', /thread \d+ \(holder\) is in victim\+0x/],
  ['altstack', /thread \d+ \(holder\) runs on a signal stack/],
  ['autodisarm', /thread \d+ \(holder\) runs on a signal stack/],
] as const)
  test(`a thread inside the function holds it up, and nothing is left behind: ${kind}`, async () => {
    const { pid, ask, until, release } = await start(kind);
    const { message, status } = await refused('HELD', () => stop(pid, 0.3));
    assert.match(message, why);
    assert.is(status, 4);
    assert.is((await ask()).victim, 1);
    assert.equal(codeWithoutFile(pid), []);
    release();
    assert.is((await stop(pid)).state, 'applied');
    assert.is((await until(42)).victim, 42);
  });

test('without symbols the patch names the function, and the object its caller', async () => {
  const bare = join(workshop.folder, 'bare');
  execFileSync('strip', ['-o', bare, target]);
  const { pid, release } = await startIn('held', bare, workshop);
  const { message } = await refused('HELD', () => stop(pid, 0.3));
  assert.match(message, /thread \d+ \(holder\) is in victim\+0x[0-9a-f]+, called from (bare|libc\.so\.6)\+0x[0-9a-f]+/);
  release();
});

test('who interrupts the command while it waits ends the waiting, and nothing has changed', async () => {
  const { pid, ask, release } = await start('held');
  const file = join(workshop.folder, 'interrupted.drift');
  writeFileSync(file, targetPatch);
  const child = spawn(process.execPath, [CLI, 'apply', file, '--pid', String(pid), '--mode', 'stop', '--verbose']);
  let said = '';
  child.stderr.on('data', (chunk) => {
    const before = said.includes('migrate: ');
    said += chunk;
    if (!before && said.includes('migrate: ')) child.kill('SIGINT');
  });
  const code = await new Promise((resolve) => child.once('close', (status, signal) => resolve(status ?? signal)));
  assert.is(code, 4, said);
  assert.match(said, /could not be changed in time, and runs on as before: thread \d+ \(holder\)|nothing was done/);
  assert.is((await ask()).victim, 1);
  assert.equal(codeWithoutFile(pid), []);
  release();
});

for (const [kind, code] of [
  ['seccomp-kill', 'SECCOMP_REFUSES'],
  ['seccomp-errno', 'SECCOMP_REFUSES'],
  ['seccomp-strict', 'SECCOMP_REFUSES'],
  ['no-memory', 'NO_MEMORY'],
] as const)
  test(`what a process must not do it is not made to do: ${kind}`, async () => {
    const { pid, ask } = await start(kind);
    await refused(code, () => stop(pid));
    assert.equal(codeWithoutFile(pid), []);
    assert.is((await ask()).victim, 1);
  });

for (const kind of ['seccomp-allow', 'mdwe'])
  test(`a confined process that may have new code is patched: ${kind}`, async () => {
    const { pid, ask } = await start(kind);
    assert.is((await stop(pid)).state, 'applied');
    assert.is((await ask()).victim, 42);
  });

test('a process that somebody else traces is refused, and says who', async () => {
  const { pid } = await start('plain');
  const other = compileTracer();
  await workshop.run(other, String(pid));
  const { message } = await refused('TRACED', () => stop(pid));
  assert.match(message, /is traced by process \d+; detach the debugger/);
});

function compileTracer(): string {
  return workshop.compile(
    'tracer',
    `#include <stdio.h>
     #include <stdlib.h>
     #include <sys/ptrace.h>
     #include <unistd.h>
     int main(int argc, char **argv)
     {
       if (argc < 2 || ptrace(PTRACE_SEIZE, atoi(argv[1]), 0, 0)) return 1;
       puts("ready"); fflush(stdout);
       pause();
       return 0;
     }`,
  );
}

test.run();
