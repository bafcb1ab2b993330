// SPDX-License-Identifier: MIT
// guest: plain
// timeout: 900
/**
 * What a patch can carry is carried into a live process: new functions, imports, variables and tables, thread-local variables, what a resolver
 * chose, jump tables; for programs at any address and at a fixed one, and for a shared library. Then the old process prints what the new
 * program prints.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { driftpatch, fixture, planner } from './workers.js';

const folder = mkdtempSync(join(tmpdir(), 'driftpatch-carry-'));
const started: ChildProcess[] = [];
test.after(() => rmSync(folder, { recursive: true }));
test.after.each(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** A process that waits for a line before it does its work, and all that it will have printed. */
async function start(program: string) {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  started.push(child);
  let printed = '';
  let ready = () => {};
  const isReady = new Promise<void>((done) => {
    ready = done;
  });
  child.stdout!.on('data', (chunk) => {
    printed += chunk;
    if (printed.startsWith('ready\n')) ready();
  });
  const ended = new Promise<string>((done) => child.once('close', (code, signal) => done(`${code ?? signal}`)));
  await isReady;
  return { pid: String(child.pid), ended, printed: () => printed, go: () => child.stdin!.end('go\n') };
}

function patchFor(kind: string, old: string, now: string): string {
  const file = join(folder, `${kind}.drift`);
  const made = planner('diff', fixture(old), fixture(now), '-o', file);
  assert.is(made.status, 0, made.stderr);
  return file;
}

const kinds: readonly [title: string, kind: string, file: string][] = [
  ['a program at any address', 'pie', 'carry-pie'],
  ['a program at a fixed address', 'exec', 'carry-exec'],
  ['a shared library', 'shared', 'libcarry'],
  ['a shared library that the program has opened while it ran', 'dlopen', 'libcarry'],
  ['a C++ program, exceptions and all,', 'cpp', 'carry-cpp'],
];
for (const [title, kind, file] of kinds)
  test(`${title} does what the new one does`, async () => {
    const suffix = file === 'libcarry' ? '.so' : '';
    const patch = patchFor(kind, `${file}-old${suffix}`, `${file}-new${suffix}`);
    const old = await start(fixture(`carry-${kind}-old`));
    const applied = driftpatch('apply', patch, '--pid', old.pid, '--json');
    assert.is(applied.status, 0, applied.stderr);
    old.go();
    assert.is(await old.ended, '0', old.printed());
    const wanted = spawnSync(fixture(`carry-${kind}-new`), { input: 'go\n', encoding: 'utf8' }).stdout;
    assert.equal(old.printed().split('\n'), wanted.split('\n'));
  });

test.run();
