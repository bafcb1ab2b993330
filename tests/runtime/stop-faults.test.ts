// SPDX-License-Identifier: MIT
// long
// timeout: 900
/** --mode stop on this machine's kernel, with something happening at each single step. */
import { join } from 'node:path';
import { test } from 'uvu';
import { type Fault, walk } from '../guest/fault-walk.js';
import { planner, Workers } from '../guest/workers.js';
import { fixtureSource, Workshop } from './live.js';

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

test.run();
