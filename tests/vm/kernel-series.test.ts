// SPDX-License-Identifier: MIT
// A kernel tree follows kernel-tree/ in every direction, and is touched no more than needed.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkSeries, syncSeries } from '../../vm/kernel-series.js';

let folder: string;
const write = (path: string, content: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
};
const read = (path: string) => readFileSync(join(folder, path), 'utf8');
const patch = (file: string, from: string, to: string) =>
  `Why.\n\n--- a/${file}\n+++ b/${file}\n@@ -1,3 +1,3 @@\n one\n-${from}\n+${to}\n three\n`;
const source = () => ({ id: 'test', home: join(folder, 'home') });
const sync = () => syncSeries(source(), join(folder, 'kernel-tree'));

test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'driftpatch-series-test-'));
  write('home/tree/mm/old.c', 'one\ntwo\nthree\n');
  write('home/tree/mm/other.c', 'other\n');
  write('kernel-tree/README.md', 'not for the kernel\n');
  write('kernel-tree/mm/view.c', 'view\n');
  write('kernel-tree/patches/0100-a.patch', patch('mm/old.c', 'two', 'zwei'));
  write('kernel-tree/patches/0200-b.patch', patch('mm/old.c', 'zwei', 'deux'));
});
test.after.each(() => rmSync(folder, { recursive: true }));

test('patches are applied in order, new files are copied, others are not touched', async () => {
  assert.equal((await sync()).sort(), ['mm/old.c', 'mm/view.c']);
  assert.is(read('home/tree/mm/old.c'), 'one\ndeux\nthree\n');
  assert.is(read('home/tree/mm/view.c'), 'view\n');
  assert.not.ok(existsSync(join(folder, 'home/tree/README.md')));
});

test('a second time nothing is written, and then only what changed', async () => {
  await sync();
  assert.equal(await sync(), []);
  write('kernel-tree/mm/view.c', 'another view\n');
  assert.equal(await sync(), ['mm/view.c']);
});

test('what leaves the series leaves the tree', async () => {
  await sync();
  rmSync(join(folder, 'kernel-tree/patches'), { recursive: true });
  rmSync(join(folder, 'kernel-tree/mm'), { recursive: true });
  assert.equal((await sync()).sort(), ['mm/old.c', 'mm/view.c']);
  assert.is(read('home/tree/mm/old.c'), 'one\ntwo\nthree\n');
  assert.not.ok(existsSync(join(folder, 'home/tree/mm/view.c')));
});

test('a patch that does not apply is named, and the tree stays as it was', async () => {
  await sync();
  write('kernel-tree/patches/0300-c.patch', patch('mm/old.c', 'never there', 'x'));
  const error = await sync().catch((caught) => caught);
  assert.is(error.code, 'SERIES_DOES_NOT_APPLY');
  assert.match(error.message, '0300-c.patch');
  assert.is(read('home/tree/mm/old.c'), 'one\ndeux\nthree\n');
  assert.is((await checkSeries(source(), join(folder, 'kernel-tree')).catch((caught) => caught)).code, error.code);
});

test('the check starts from the untouched files, before and after a sync', async () => {
  const kernelTree = join(folder, 'kernel-tree');
  assert.equal(await checkSeries(source(), kernelTree), { patches: 2, files: 1 });
  await sync();
  assert.equal(await checkSeries(source(), kernelTree), { patches: 2, files: 1 });
});

test.run();
