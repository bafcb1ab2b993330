// SPDX-License-Identifier: MIT
// Two builds never overlap, and whoever dies with the lock gives it up.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withLock } from '../../vm/lock.js';

const folder = mkdtempSync(join(tmpdir(), 'driftpatch-lock-'));
test.after(() => rmSync(folder, { recursive: true }));

test('work under one lock runs one after the other', async () => {
  let inside = 0;
  let most = 0;
  let waited = 0;
  const work = () =>
    withLock(
      join(folder, 'a'),
      () => waited++,
      async () => {
        most = Math.max(most, ++inside);
        await sleep(700);
        inside--;
      },
    );
  await Promise.all([work(), work()]);
  assert.is(most, 1);
  assert.is(waited, 1);
});

test('an error inside frees the lock', async () => {
  const failing = withLock(
    join(folder, 'b'),
    () => {},
    () => Promise.reject(new Error('inside')),
  );
  assert.is((await failing.catch((error) => error)).message, 'inside');
  assert.is(
    await withLock(
      join(folder, 'b'),
      () => {},
      async () => 7,
    ),
    7,
  );
});

test('a holder that is killed frees the lock', async () => {
  const module = new URL('../../vm/lock.js', import.meta.url).href;
  const code = `import { withLock } from ${JSON.stringify(module)};
    await withLock(${JSON.stringify(join(folder, 'c'))}, () => {}, async () => {
      process.stdout.write('held'); await new Promise((r) => setTimeout(r, 60000)); });`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  assert.is(
    await withLock(
      join(folder, 'c'),
      () => {},
      async () => 8,
    ),
    8,
  );
});

test.run();
