// SPDX-License-Identifier: MIT
// guest: plain
// guest, --long: debug
// timeout: 900
/** Whatever happens at whatever step of an apply: the target stays whole, `status` tells the truth, a later apply does it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Fault, walk } from '../fault-walk.js';
import { fixture, planner, Workers } from './workers.js';

const folder = mkdtempSync(join(tmpdir(), 'driftpatch-faults-'));
test.after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'fix.drift');
assert.is(planner('diff', fixture('workers-1'), fixture('workers-2'), '-o', file).status, 0);

/** Steps are taken evenly from all, for the guest may be slow; `npm test -- --long` takes each. */
const [most, few] = process.env.DRIFTPATCH_KERNEL === 'debug' ? [1, 1] : [3, 1];
const SAMPLES: Readonly<Record<Fault, number>> = { die: most, kill: few, exec: few, fork: few };
const all = process.env.DRIFTPATCH_TESTS === 'long';

for (const mode of ['wait-free', 'stop'] as const)
  for (const fault of ['die', 'kill', 'exec', 'fork'] as const)
    test(`${mode}, at any system call: ${fault}`, async () => {
      await walk({ mode, fault, file, start: () => Workers.start(1), ...(!all && { samples: SAMPLES[fault] }) });
    });

test.run();
