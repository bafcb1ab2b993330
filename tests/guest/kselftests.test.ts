// SPDX-License-Identifier: MIT
// guest: plain debug
// timeout: 2400
// The kernel's selftests of views, each case a test of its own. The programs run before the tests are declared: only their
// output says which cases there are. The Makefile says which programs there must be.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseTap } from '../tap.js';

const project = fileURLToPath(new URL('../../../', import.meta.url));
const makefile = readFileSync(`${project}kernel-tree/tools/testing/selftests/mmview/Makefile`, 'utf8');
const programs = /^MMVIEW_TESTS := (.+)$/m.exec(makefile)?.[1]?.trim().split(/\s+/) ?? [];

const debug = process.env.DRIFTPATCH_KERNEL === 'debug';

/** The stress verifies its data for 30 s on the kernel that checks itself; on the plain one a shorter time is enough. */
// (Its files are on a file system that can hold swap.)
const stressSeconds = debug ? 30 : 10;

/** Their remarks are figures that `npm test` shows. */
const measures = new Set(['clonecost']);

const kselftests = suite('kselftests');

kselftests('the Makefile names programs', () => {
  assert.ok(programs.length > 0);
});

kselftests('the debug kernel isolates page tables and has two memory nodes, the plain kernel does neither', () => {
  const isolated = / pti\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
  assert.is(isolated, debug);
  assert.is(existsSync('/sys/devices/system/node/node1'), debug);
});

for (const program of programs) {
  const words = program === 'stress' ? ['-t', String(stressSeconds), '-d', '/var/tmp'] : [];
  const ran = spawnSync(`${project}dist/tests/kselftests/${program}`, words, {
    encoding: 'utf8',
    timeout: 600_000,
    killSignal: 'SIGKILL',
  });
  const { cases, problem } = parseTap(ran.stdout ?? '');
  for (const { name, verdict, remarks } of cases) {
    for (const remark of remarks)
      process.stdout.write(`${measures.has(program) ? 'figure: ' : ''}${program}: ${remark}\n`);
    const title = `${program}: ${name}`;
    if (verdict === 'skip') {
      process.stdout.write(`skipped: ${title}\n`);
      kselftests.skip(title);
    } else
      kselftests(title, () => {
        assert.is(verdict, 'ok', `${remarks.join('\n')}\n${ran.stderr}`);
      });
  }
  kselftests(`${program}: ends by itself, with every result that it promised`, () => {
    const output = `${ran.error ?? ''}\n${ran.stdout}\n${ran.stderr}`;
    assert.is(problem, null, output);
    assert.is(ran.signal, null, output);
    assert.is(ran.status, 0, output);
  });
}

kselftests.run();
