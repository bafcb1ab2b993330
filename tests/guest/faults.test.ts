// SPDX-License-Identifier: MIT
// guest: plain debug
// timeout: 1400
/** Whatever happens at whatever step of an apply: the target stays whole, `status` tells the truth, a later apply does it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Fault, walk } from './fault-walk.js';
import { fixture, planner, Workers } from './workers.js';

const folder = mkdtempSync(join(tmpdir(), 'driftpatch-faults-'));
test.after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'fix.drift');
assert.is(planner('diff', fixture('workers-1'), fixture('workers-2'), '-o', file).status, 0);

/** Steps are taken evenly from all: the guest may be slow. tests/runtime/stop-faults.test.ts takes each. */
const debug = process.env.DRIFTPATCH_KERNEL === 'debug';
const SAMPLES: Readonly<Record<Fault, number>> = debug
  ? { die: 6, kill: 4, exec: 4, fork: 4 }
  : { die: 16, kill: 8, exec: 8, fork: 8 };

for (const mode of ['wait-free', 'stop'] as const)
  for (const fault of ['die', 'kill', 'exec', 'fork'] as const)
    test(`${mode}, at any system call: ${fault}`, async () => {
      await walk({ mode, fault, file, start: () => Workers.start(1), samples: SAMPLES[fault] });
    });

test.run();
