// SPDX-License-Identifier: MIT
// guest: plain
// timeout: 900
// gdb itself, which the guest's own root does not have: breakpoints in a process with a view, on either side, and a core dump of one. The
// selftests' cases that start it, in a guest with this machine's root.

import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runInGuest } from '../../vm/index.js';
import { parseTap } from '../tap.js';

const kernel = process.env.DRIFTPATCH_BZIMAGE;
if (!kernel) throw new Error('expected DRIFTPATCH_BZIMAGE to name a file; use npm test');

const project = fileURLToPath(new URL('../../../', import.meta.url));
const programs = ['ptrace', 'dump'];
const commands = programs.map((program) => `echo === ${program}; MMVIEW_CASE=gdb dist/tests/kselftests/${program}`);
const result = await runInGuest(['sh', '-c', commands.join('\n')], {
  kernel,
  root: { kind: 'host' },
  project,
  timeoutSeconds: 840,
});
const outputs = result.stdout.toString().split(/^=== .*\n/m);

const gdb = suite('gdb');

programs.forEach((program, at) => {
  gdb(`${program}: every case with gdb passes, and none is skipped`, () => {
    const output = outputs[at + 1] ?? '';
    const { cases, problem } = parseTap(output);
    assert.is(problem, null, output);
    assert.ok(cases.some(({ name }) => name.startsWith('gdb')));
    for (const { verdict } of cases) assert.is(verdict, 'ok', output);
  });
});

gdb('the kernel has nothing to complain about', () => {
  assert.is(result.healthy, true, result.complaints.join('\n'));
});

gdb.run();
