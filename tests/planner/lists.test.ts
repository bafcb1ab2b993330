// SPDX-License-Identifier: MIT
/** Lists that the linker puts together: their borders are no start and no end of a variable, whatever lies there. */
import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readPatch, writePatch } from '../../planner/index.js';
import { compilePair, diffPair } from './helpers.js';
import { runPatched } from './patched.js';

const test = suite('lists');

const ways = [['-O0'], ['-O2'], ['-O2', '-fno-pie', '-no-pie'], ['-O2', '-static']];
for (const flags of ways) {
  test(`functions that walk over a list change, and go on to walk over it (${flags.join(' ')})`, async () => {
    const pair = compilePair('lists.c', { flags });
    const result = diffPair(pair);
    assert.equal(result.refusals, []);
    assert.equal(
      result.functions.map(({ name, change }) => `${change} ${name}`),
      ['modified walk', 'modified walk_hooks'],
    );
    if (flags.includes('-static')) return;
    const wanted = execFileSync(pair.newPath, { encoding: 'utf8' });
    assert.is(await runPatched(pair.oldPath, readPatch(writePatch(result.patch!))), wanted);
  });

  for (const [define, list] of [
    ['-DMORE', 'steps'],
    ['-DMORE_VARIABLES', 'hooks'],
  ] as const)
    test(`a longer list is refused, and no function changes for it (${flags.join(' ')} ${define})`, () => {
      const result = diffPair(compilePair('lists.c', { flags, new: [define] }));
      const found = result.refusals.map(({ code, symbol }) => `${code} ${symbol}`);
      assert.equal(found, [`LIST_CHANGED ${list}`]);
      const modified = result.functions.filter(({ change }) => change === 'modified').map(({ name }) => name);
      assert.equal(modified, ['walk', 'walk_hooks']);
    });
}

test('another entry of a constant list is refused', () => {
  const flags = ['-fno-pie', '-no-pie'];
  const { refusals } = diffPair(compilePair('lists.c', { flags, new: ['-DANOTHER'] }));
  assert.equal(
    refusals.map(({ code, symbol }) => `${code} ${symbol}`),
    ['LIST_CHANGED steps'],
  );
});

test('the list that the process has may be kept', async () => {
  const pair = compilePair('lists.c', { new: ['-DMORE'] });
  const result = diffPair(pair, { allow: [{ code: 'LIST_CHANGED', symbol: 'steps' }] });
  const wanted = execFileSync(compilePair('lists.c').newPath, { encoding: 'utf8' });
  assert.is(await runPatched(pair.oldPath, readPatch(writePatch(result.patch!))), wanted);
});

test.run();
