// SPDX-License-Identifier: MIT
// guest: plain
// guest, --long: debug
// timeout: 900
/**
 * Exceptions, cancellation and backtraces find their way through new code, in a process that throws all the time while it is patched:
 * with the machine's libgcc_s, and with one linked into the program.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { driftpatch, fixture, planner } from './workers.js';

const folder = mkdtempSync(join(tmpdir(), 'driftpatch-unwind-'));
const started: ChildProcess[] = [];
test.after(() => rmSync(folder, { recursive: true }));
test.after.each(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

interface Answer {
  readonly thrown: number;
  readonly caught: number;
  readonly alive: number;
  readonly answer: number;
  readonly result: number;
}

function start(program: string) {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  started.push(child);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const ask = async (command: 'report' | 'trace' | 'cancel'): Promise<Answer> => {
    child.stdin!.write(`${command}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`the process has ended (${child.exitCode ?? child.signalCode})`);
    return JSON.parse(value);
  };
  /** Reports until outer() says `answer`, and twenty exceptions more have been thrown. */
  const throwing = async (answer: number): Promise<void> => {
    const from = (await ask('report')).thrown;
    for (let left = 2000; left > 0; left--) {
      const report = await ask('report');
      assert.ok(Math.abs(report.thrown - report.caught) <= 4, 'what is thrown is caught');
      if (report.answer === answer && report.thrown > from + 20) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`outer() never said ${answer}: ${JSON.stringify(await ask('report'))}`);
  };
  return { pid: String(child.pid), ask, throwing };
}

function patchTo(kind: string, version: 2 | 3): string {
  const file = join(folder, `${kind}-${version}.drift`);
  const made = planner('diff', fixture(`throwers-${kind}-1`), fixture(`throwers-${kind}-${version}`), '-o', file);
  assert.is(made.status, 0, made.stderr);
  return file;
}

// planning a program with all of libstdc++ in it takes minutes on the debug kernel, and is the same there
const onDebugKernel = existsSync('/sys/kernel/debug/mmview/without');
if (onDebugKernel) console.log('skipped: a libgcc of its own; run on the plain kernel');
for (const [kind, libgcc] of [
  ['shared', "the machine's libgcc"],
  ['static', 'a libgcc of its own'],
] as const)
  (onDebugKernel && kind === 'static' ? test.skip : test)(
    `a program with ${libgcc}, which throws all the time, is patched`,
    async () => {
      const target = start(fixture(`throwers-${kind}-1`));
      await target.throwing(1);
      const { result: frames } = await target.ask('trace');
      assert.ok(frames >= 4, `${frames} frames before`);

      const applied = driftpatch('apply', patchTo(kind, 2), '--pid', target.pid);
      assert.is(applied.status, 0, applied.stderr);
      await target.throwing(209);
      assert.is((await target.ask('trace')).result, frames, 'frames of a backtrace');
      assert.is((await target.ask('cancel')).result, 1, 'destructors of a cancelled thread');
      await target.throwing(209);

      // The unwinder goes on knowing the new code: something may be in it still. Applied again, it is the same code.
      const which = ['--pid', target.pid, '--consistency', 'entry'];
      for (let round = 0; round < 2; round++) {
        const reverted = driftpatch('revert', `${kind}-2`, ...which);
        assert.is(reverted.status, 0, reverted.stderr);
        await target.throwing(1);
        const again = driftpatch('apply', join(folder, `${kind}-2.drift`), ...which);
        assert.is(again.status, 0, again.stderr);
        await target.throwing(209);
      }
      assert.is(codeArenas(target.pid), 1);
    },
  );

const codeArenas = (pid: string) =>
  readFileSync(`/proc/${pid}/maps`, 'utf8').match(/ r-xp 00000000 00:00 0 *$/gm)?.length;

test.run();
