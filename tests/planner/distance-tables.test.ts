// SPDX-License-Identifier: MIT
/** clang's tables of distances to texts: equal distances may be other texts, other distances the same, and a patch carries texts. */
import { execFileSync, spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readPatch, writePatch } from '../../planner/index.js';
import { compilePair, diffPair } from './helpers.js';
import { runPatched } from './patched.js';

const test = suite('distance tables');

const hasClang = spawnSync('clang', ['--version']).status === 0;
if (!hasClang) console.log('  skipped: clang is not installed; gcc makes no tables of distances to constants');
const withClang = hasClang ? test : test.skip;

for (const level of ['-O1', '-O2', '-O3', '-Os'])
  for (const [file, defines, changed] of [
    ['distances.c', '-DSHIFT', ''],
    ['distances.c', '-DTEXT', 'label_of name_of names'],
    ['distances.c', '-DTEXT -DSHIFT', 'label_of name_of names'],
    ['distances.c', '-DNUMBER', 'number_of'],
    ['distances.c', '-DNUMBER -DSHIFT', 'number_of'],
    ['distances.c', '-DCODE -DSHIFT', 'label_of name_of names number_of'],
    ['distances.c', '-DCODE -DTEXT -DNUMBER -DSHIFT', 'label_of name_of names number_of'],
    ['distances-near.c', '-DSHIFT', ''],
    ['distances-near.c', '-DTEXT', 'name_of'],
    ['distances-near.c', '-DSWAP', 'main name_of'],
    ['distances-near.c', '-DTEXT -DSHIFT', 'name_of'],
    ['distances-near.c', '-DCODE -DSHIFT', 'name_of'],
  ] as const)
    withClang(
      `${file}, clang ${level} ${defines}: ${changed || 'nothing'} changed, and does so in the old program`,
      async () => {
        const pair = compilePair(file, { compiler: 'clang', flags: [level], new: defines.split(' ') });
        const result = diffPair(pair);
        const names = result.functions.filter(({ change }) => change === 'modified').map(({ name }) => name);
        assert.is(names.sort().join(' '), changed);
        if (changed === '') return;
        assert.equal(result.refusals, []);
        const wanted = execFileSync(pair.newPath, { encoding: 'utf8' });
        assert.is(await runPatched(pair.oldPath, readPatch(writePatch(result.patch!))), wanted);
      },
    );

test('the fixture says the same whoever compiles it', () => {
  const result = diffPair(compilePair('distances.c', { new: ['-DTEXT'] }));
  assert.equal(result.functions.map(({ name }) => name).sort(), ['label_of', 'name_of', 'names']);
});

for (const level of ['-O1', '-O2'])
  test(`a table of jumps leads on into its function where a symbol lies in front of its entries (gcc ${level})`, async () => {
    const pair = compilePair('entry-inside.c', { flags: [level], new: ['-DCHANGED'] });
    const result = diffPair(pair);
    assert.equal(result.refusals, []);
    const names = result.functions.map(({ name }) => name);
    assert.ok(names.includes('pick'), `${names}`);
    const wanted = execFileSync(pair.newPath, { encoding: 'utf8' });
    assert.is(await runPatched(pair.oldPath, readPatch(writePatch(result.patch!))), wanted);
  });

test.run();
