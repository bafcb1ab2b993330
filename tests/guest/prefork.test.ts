// SPDX-License-Identifier: MIT
// guest: plain
// guest, --long: debug
// timeout: 900
/** A server of many processes: all of them are patched, whenever they are born, and those that end or exec are no failure. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { applyToMany, type ManyResult, revertInMany } from '../../runtime/index.js';
import { driftpatch, fixture, planner } from './workers.js';

const folder = mkdtempSync(join(tmpdir(), 'driftpatch-prefork-'));
const file = join(folder, 'answer.drift');
const program = fixture('prefork-1');
const started: ChildProcess[] = [];
test.after(() => rmSync(folder, { recursive: true }));
test.after.each(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

interface One {
  readonly pid: number;
  readonly answer: number;
}

const made = planner('diff', program, fixture('prefork-2'), '-o', file);
assert.is(made.status, 0, made.stderr);
const patch = readFileSync(file);

async function start() {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  started.push(child);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async (): Promise<One[]> => JSON.parse((await lines.next()).value).processes;
  await next();
  const send = (command: 'report' | 'fork' | 'storm' | 'exec') => {
    child.stdin!.write(`${command}\n`);
    return next();
  };
  /** Reports until every process answers as `version` does. */
  const all = async (version: 1 | 2, count: number) => {
    const deadline = performance.now() + 30_000;
    for (;;) {
      const found = await send('report');
      if (found.length === count && found.every(({ answer }) => answer === version * 1000)) return;
      assert.ok(performance.now() < deadline, JSON.stringify(found));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return { pid: child.pid!, send, all };
}

const states = ({ processes }: ManyResult) => [...new Set(processes.map(({ state }) => state))];

test('the master and all workers are patched by one command, listed, and reverted', async () => {
  const server = await start();
  await server.all(1, 4);
  const applied = driftpatch('apply', file, '--exe', program, '--json');
  assert.is(applied.status, 0, applied.stderr);
  const result = JSON.parse(applied.stdout);
  assert.equal([result.processes.length, states(result)], [4, ['applied']]);
  await server.all(2, 4);
  await server.send('fork');
  await server.all(2, 5);

  const listed = driftpatch('list');
  assert.is(listed.stdout.match(/prefork-1 +│ answer +│ [0-9a-f]{12} │ applied/g)?.length, 5, listed.stdout);
  assert.equal(states(await revertInMany('answer', { exe: program }, { timeout: 200 })), ['reverted']);
  await server.all(1, 5);
});

test('children that are forked in the middle of it are patched as well', async () => {
  const server = await start();
  await server.send('storm');
  const result = await applyToMany(patch, { exe: program }, { timeout: 200 });
  assert.equal([states(result), result.unsettled], [['applied'], false]);
  await server.all(2, 24);
  const back = await revertInMany('answer', { exe: program }, { timeout: 200 });
  assert.equal([back.processes.length, states(back)], [24, ['reverted']]);
  await server.all(1, 24);
});

test('who ends or executes another program meanwhile is gone, and the others are patched', async () => {
  const server = await start();
  const [, first, , last] = await server.send('report');
  let told = false;
  const onEvent = (event: { kind: string }) => {
    if (event.kind !== 'step' || told) return;
    told = true;
    process.kill(first!.pid, 'SIGKILL');
    void server.send('exec');
    while (readFileSync(`/proc/${last!.pid}/comm`, 'utf8') !== 'sleep\n');
  };
  const { processes } = await applyToMany(patch, { exe: program }, { onEvent });
  const stateOf = (pid: number) => processes.find((one) => one.pid === pid)?.state;
  assert.equal([stateOf(server.pid), stateOf(first!.pid), stateOf(last!.pid)], ['applied', 'gone', 'gone']);
  await server.send('report');
});

test.run();
