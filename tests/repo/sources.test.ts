// SPDX-License-Identifier: MIT
// Rules for every source file: its licence stands in its first lines, and fits the folder.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { contentOf, filesOfCheckout } from './checkout.js';

const files = filesOfCheckout();
const licenceOf = (file: string) =>
  /SPDX-License-Identifier: ([^\n*]+?)\s*(?:\*\/|-->)?\s*$/m.exec(
    contentOf(file).split('\n').slice(0, 3).join('\n'),
  )?.[1];

test('every TypeScript file is under MIT, and says so at its top', () => {
  const sources = files.filter((file) => file.endsWith('.ts'));
  assert.ok(sources.length > 20, `expected many files, found ${sources.length}`);
  assert.equal(
    sources.filter((file) => licenceOf(file) !== 'MIT'),
    [],
  );
});

test('every kernel source is under GPL-2.0, and says so at its top', () => {
  const sources = files.filter((file) =>
    /^kernel-tree\/(?!patches\/).*(\.[chS]|Kconfig|Makefile|\.config)$/.test(file),
  );
  assert.ok(sources.length > 5, `expected several files, found ${sources.length}`);
  assert.equal(
    sources.filter((file) => !licenceOf(file)?.startsWith('GPL-2.0')),
    [],
  );
});

test('no suite singles out a test', () => {
  const suites = files.filter((file) => file.endsWith('.test.ts'));
  const only = new RegExp(`^\\s*\\w+\\.${'only'}\\s*\\(`, 'm');
  assert.equal(
    suites.filter((file) => only.test(contentOf(file))),
    [],
  );
});

test('no source stands outside the houses', () => {
  const outside = files.filter(
    (file) => file.endsWith('.ts') && !/^(planner|runtime|vm|zx-scripts|tests)\//.test(file),
  );
  assert.equal(outside, []);
});

test.run();
