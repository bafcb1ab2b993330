// SPDX-License-Identifier: MIT
// long
// timeout: 900
/** --mode stop on this machine's kernel, with something happening at each single step. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { applyWith, type Fault, isFree, walk } from '../guest/fault-walk.js';
import { planner, Workers } from '../guest/workers.js';
import { fixtureSource, Workshop } from './live.js';
import { compileFixture, patchFor, startIn } from './states.js';

const workshop = new Workshop();
test.after(() => workshop.clear());
const compile = (version: number) =>
  workshop.compile(`workers-${version}`, fixtureSource('workers.c'), '-O2', '-pthread', `-DVERSION=${version}`);
const file = join(workshop.folder, 'fix.drift');
const workers = compile(1);
planner('diff', workers, compile(2), '-o', file);

for (const fault of ['die', 'kill', 'exec', 'fork'] as Fault[])
  test(`at each system call: ${fault}`, async () => {
    await walk({ mode: 'stop', fault, file, start: () => Workers.startFile(workers) });
  });

const states = compileFixture(workshop, 'states');
const victimFile = join(workshop.folder, 'victim.drift');
writeFileSync(victimFile, patchFor(states));

for (const kind of ['main-registers', 'sleeper', 'registers', 'signals'])
  test(`killed at each system call, it leaves every register, sleep and signal as it was: ${kind}`, async () => {
    const { pid, ask, until } = await startIn(kind, states, workshop);
    let killed = 0;
    for (let at = 1; ; at++) {
      const { signal, stderr, status } = applyWith(at, 'die', 'stop', victimFile, pid);
      if (signal === 'SIGKILL') killed++;
      else assert.is(status, 0, stderr);
      const { broken } = await ask();
      assert.is(broken, 0, `killed before call ${at}`);
      if (signal !== 'SIGKILL') break;
    }
    assert.ok(killed > 20, `killed ${killed} times`);
    assert.is((await until(42)).victim, 42);
    assert.ok(isFree(pid));
  });

test.run();
