// SPDX-License-Identifier: MIT
// guest: plain
// timeout: 300
// sparse, as the kernel's own build runs it (make C=2), has nothing to say of mm/mmview. What it says of the kernel's headers
// is not ours to put right.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { locateSource, withLock } from '../../vm/index.js';

const { DRIFTPATCH_BZIMAGE: kernel } = process.env;
if (!kernel) throw new Error('expected DRIFTPATCH_BZIMAGE to name a file; use npm test');

const sources = fileURLToPath(new URL('../../../kernel-tree/mm/mmview', import.meta.url));
/** .../arch/x86/boot/bzImage lies in the folder that make knows by its own Makefile. */
const objects = join(kernel, '../../../..');
const missing =
  spawnSync('sparse', ['--version']).status !== 0
    ? 'no sparse'
    : !existsSync(join(objects, 'Makefile'))
      ? `${kernel} does not lie where it was built`
      : null;
if (missing) console.log(`  skipped: sparse: ${missing}`);

(missing ? test.skip : test)('sparse finds nothing in mm/mmview', async () => {
  const { home } = await locateSource();
  const { status, stdout, stderr } = await withLock(
    `${home}.lock`,
    () => console.log('  waiting for a build of the kernel'),
    async () => spawnSync('make', ['-C', objects, 'C=2', 'mm/mmview/'], { encoding: 'utf8' }),
  );
  assert.is(status, 0, stderr);
  const checked = stdout.match(/^ {2}CHECK .*\/mm\/mmview\/\w+\.c$/gm) ?? [];
  // All but debug.c, which the plain kernel does not have.
  assert.is(checked.length, readdirSync(sources).filter((name) => name.endsWith('.c')).length - 1, stdout);
  assert.equal(
    stderr.split('\n').filter((line) => /mmview[^ ]*: (warning|error):/.test(line)),
    [],
  );
});

test.run();
