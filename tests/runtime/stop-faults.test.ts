// SPDX-License-Identifier: MIT
// long
// timeout: 900
/**
 * --mode stop on this machine's kernel, with something happening before each single system call; of the calls `npm test` takes
 * every third.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { apply } from '../../runtime/index.js';
import { applyWith, isFree } from '../fault-walk.js';
import { Workshop } from './live.js';
import { compileFixture, patchFor, sleep, startIn } from './states.js';

const workshop = new Workshop();
test.after(() => workshop.clear());
const states = compileFixture(workshop, 'states');
const file = join(workshop.folder, 'victim.drift');
const patch = patchFor(states);
writeFileSync(file, patch);

const stride = process.env.DRIFTPATCH_TESTS === 'long' ? 1 : 3;

for (const kind of ['main-registers', 'sleeper', 'registers', 'signals', 'seccomp-allow'])
  test(`driftpatch killed: every register, sleep and signal is as it was: ${kind}`, async () => {
    const { pid, ask, until } = await startIn(kind, states, workshop);
    let killed = 0;
    for (let at = 1; ; at += stride) {
      const { signal, stderr, status } = applyWith(at, 'die', 'stop', file, pid);
      if (signal === 'SIGKILL') killed++;
      else assert.is(status, 0, stderr);
      const { broken } = await ask();
      assert.is(broken, 0, `killed before call ${at}`);
      if (signal !== 'SIGKILL') break;
    }
    assert.ok(killed > 20 / stride, `killed ${killed} times`);
    assert.is((await until(42)).victim, 42);
    assert.ok(isFree(pid));
  });

for (const [what, signal] of [
  ['executes itself', 'SIGUSR2'],
  ['is killed', 'SIGKILL'],
] as const)
  test(`the target ${what}: an error or a patched process, and never a hung one`, async () => {
    const counted = await startIn('registers', states, workshop);
    const total = Number(applyWith(0, 'nothing', 'stop', file, counted.pid).stderr.trim().split('\n').at(-1));
    assert.ok(total > 20, `${total} calls`);
    counted.child.kill('SIGKILL');
    for (let at = 1; at <= total; at += stride) {
      const { pid, child, ask, until } = await startIn('registers', states, workshop);
      const { status, stderr } = applyWith(at, `${signal}:${pid}`, 'stop', file, pid);
      assert.ok(status === 0 || status === 4, `before call ${at}: ${status} ${stderr}`);
      if (signal === 'SIGUSR2') {
        assert.is((await ask()).broken, 0);
        assert.is((await apply(patch, { pid, mode: 'stop' })).state, 'applied');
        assert.is((await until(42)).victim, 42);
        assert.ok(isFree(pid));
      } else
        for (let left = 500; child.signalCode === null; left--) {
          assert.ok(left > 0, 'it does not die');
          await sleep(10);
        }
      child.kill('SIGKILL');
    }
  });

test.run();
