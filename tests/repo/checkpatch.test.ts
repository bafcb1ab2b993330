// SPDX-License-Identifier: MIT
// long
// The kernel's own scripts/checkpatch.pl --strict has nothing to say of the hook series, the new kernel files and the
// selftests. What it finds of a kind that says nothing here is named below, with why; every other kind fails.
//
// It looks at copies outside the repository: of a file under git it would believe that it is source code, a patch too.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { filesBelow, locateSource } from '../../vm/index.js';
import { checkout } from './checkout.js';

/** Of programs: they are no kernel code, and these kinds want them to be. */
const notOfPrograms = [
  'ARRAY_SIZE,BIT_MACRO,ENOSYS,PREFER_DEFINED_ATTRIBUTE_MACRO,STRCPY', // macros and functions that only the kernel has
  'VOLATILE', // an access that a test is about must not be left out by the compiler
  'AVOID_EXTERNS', // what assembly and the linker define
  'COMPLEX_MACRO,MACRO_ARG_REUSE,MACRO_ARG_UNUSED', // lists that are expanded several times
  'CAMELCASE', // the names of <elf.h>
  'EMBEDDED_FUNCTION_NAME', // words of a message that are a function's name as well
  'STATIC_CONST_CHAR_ARRAY', // argv and mkdtemp() want what can be written
].join(',');

const tree = join((await locateSource().catch(() => null))?.home ?? '/nowhere', 'tree');
const script = join(tree, 'scripts/checkpatch.pl');
const missing = !existsSync(script)
  ? `no ${script}; npm run check unpacks it`
  : spawnSync('perl', ['-v']).status !== 0
    ? 'no perl'
    : null;
if (missing) console.log(`  skipped: checkpatch: ${missing}`);
const check = missing ? test.skip : test;

const copy = mkdtempSync(join(tmpdir(), 'driftpatch-checkpatch-'));
test.after(() => rmSync(copy, { recursive: true }));

function checkpatch(words: readonly string[], files: readonly string[]): string {
  assert.ok(files.length > 0);
  const always = [`--root=${tree}`, '--strict', '--terse', '--show-types', '--no-summary'];
  const { stdout, stderr } = spawnSync('perl', [script, ...always, ...words, ...files], {
    cwd: copy,
    encoding: 'utf8',
  });
  return stdout + stderr;
}

check('the hook series', () => {
  cpSync(join(checkout, 'kernel-tree/patches'), join(copy, 'patches'), { recursive: true });
  const patches = readdirSync(join(copy, 'patches')).map((name) => `patches/${name}`);
  assert.is(checkpatch([], patches), '');
});

for (const [folder, ignored] of [
  ['arch', ''],
  ['include', ''],
  ['mm', ''],
  ['tools', notOfPrograms],
] as const)
  check(`the files in ${folder}/`, async () => {
    cpSync(join(checkout, 'kernel-tree', folder), join(copy, folder), { recursive: true });
    const files = (await filesBelow(join(copy, folder))).filter((path) => /\.[ch]$/.test(path));
    assert.is(
      checkpatch(
        ['-f', ...(ignored && [`--ignore=${ignored}`])],
        files.map((path) => `${folder}/${path}`),
      ),
      '',
    );
  });

check('it does find something where there is something', () => {
  cpSync(join(checkout, 'tests/guest/fixtures/live.c'), join(copy, 'live.c'));
  assert.ok(checkpatch(['-f'], ['live.c']).length > 0);
});

test.run();
