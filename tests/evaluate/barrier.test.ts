// SPDX-License-Identifier: MIT
/** The barrier that servers are compared with: nobody goes on before all have come, whatever they wait in; and it can be raised again. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasBarrier, raiseBarrier } from '../../zx-scripts/servers/barrier.js';

const checkout = fileURLToPath(new URL('../../../', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'driftpatch-test-'));
const program = join(work, 'gathers');
let child: ChildProcess;
let lines: AsyncIterator<string>;

const ask = async (what: string): Promise<string> => {
  child.stdin!.write(`${what}\n`);
  return (await lines.next()).value;
};

test.before(async () => {
  const source = join(checkout, 'tests/evaluate/fixtures/gathers.c');
  const include = `-I${join(checkout, 'zx-scripts/servers')}`;
  execFileSync('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', '-pthread', include, '-o', program, source]);
  child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  await lines.next();
});

test('a loop that waits for ever is woken, and comes', async () => {
  const before = Number(await ask('rounds'));
  const { come, gone } = await raiseBarrier(child.pid!, 20);
  assert.ok(come >= 0 && gone >= come, `${come} ${gone}`);
  assert.ok(Number(await ask('rounds')) > before);
});

test('while one thread has not come, those that have do not go on', async () => {
  assert.is(await ask('stay'), 'ok');
  let gathered = false;
  const barrier = raiseBarrier(child.pid!, 20).then(() => {
    gathered = true;
  });
  // Both loops come; then nothing moves any more.
  while ((await ask('waiting')) !== '2') await new Promise((resolve) => setTimeout(resolve, 1));
  const before = await ask('spun');
  for (let look = 0; look < 20; look++) assert.is(await ask('spun'), before);
  assert.not(gathered);
  assert.is(await ask('leave'), 'ok');
  await barrier;
  assert.ok(Number(await ask('spun')) >= Number(before));
});

test('a process without it says so', () => {
  assert.ok(hasBarrier(child.pid!));
  assert.not(hasBarrier(process.pid));
});

test.after(async () => {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  rmSync(work, { recursive: true });
  rmSync(`/tmp/quiescence-${child.pid}`);
  assert.not(existsSync(`/tmp/quiescence-${child.pid}`));
});
test.run();
