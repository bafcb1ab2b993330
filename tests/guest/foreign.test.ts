// SPDX-License-Identifier: MIT
// guest: debug
// prepare: foreign
// timeout: 600
// The kernel's own selftests of memory management, the short ones, in this boot: each without views, then with a view for every process.
// `npm run foreign` runs all of them, and stress-ng and trinity, each in guests of its own.

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compare } from '../../zx-scripts/foreign/compare.js';
import { foreignFolder, inEveryTest } from '../../zx-scripts/foreign/in-tests.js';
import { runAttempts } from '../../zx-scripts/foreign/run-tests.js';

const project = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '');
const folder = mkdtempSync(join(tmpdir(), 'foreign-'));
cpSync(foreignFolder(project), folder, { recursive: true });

test("the kernel's mm selftests give the same with every process in a view", async () => {
  const attempts = inEveryTest.flatMap((each) => [false, true].map((every) => ({ ...each, every })));
  const results = await runAttempts(attempts, folder);
  rmSync(folder, { recursive: true });
  const [off, on] = [false, true].map((every) => results.filter((result) => result.every === every));
  const rows = compare(off!, on!);
  assert.is(rows.length, inEveryTest.length);
  assert.equal(
    rows.filter(({ verdict }) => verdict !== 'same'),
    [],
  );
  // Equal, and not because nothing works here.
  assert.equal(
    rows.filter(({ off }) => !off.startsWith('status 0, ')),
    [],
  );
});

test.run();
