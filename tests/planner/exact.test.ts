// SPDX-License-Identifier: MIT
/** Each kind of change and each kind of noise, for every compiler that is there and at every level: that function, and no other. */
// timeout: 600
// long: npm test runs it, npm run check does not
import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compilePair, diffPair } from './helpers.js';

const test = suite('exact');

const hasClang = spawnSync('clang', ['--version']).status === 0;
if (!hasClang) console.log('  skipped: clang is not installed');
const compilers = hasClang ? ['gcc', 'clang'] : ['gcc'];
const levels = ['-O0', '-O1', '-O2', '-O3'];

const changes = [
  'immediate',
  'text',
  'wide',
  'embedded',
  'table',
  'packed',
  'slot',
  'order',
  'extended',
  'chain',
  'list',
  'field',
  'sign',
  'global',
  'element',
  'narrow',
  'labels',
  'local',
  'copy',
  'called',
];

const functionsOf = (compiler: string, source: string, flags: readonly string[], ofNew: readonly string[]) =>
  diffPair(compilePair(source, { compiler, flags, new: ofNew }))
    .functions.filter(({ name }) => name !== 'shifted')
    .map(({ name, change }) => `${change} ${name}`);

for (const compiler of compilers)
  for (const level of levels) {
    test(`nothing changes when everything moves (${compiler} ${level})`, () => {
      assert.equal(functionsOf(compiler, 'exact.c', [level], ['-DSHIFT', '-DCHANGE=0']), []);
    });
    test(`one change of any kind is found, and no other (${compiler} ${level})`, () => {
      const wrong = changes.flatMap((name) => {
        const flags = ['-DSHIFT', `-DCHANGE=${name.toUpperCase()}`];
        const found = functionsOf(compiler, 'exact.c', [level], flags).join();
        return found === `modified ${name}` ? [] : [`${name}: ${found}`];
      });
      assert.equal(wrong, []);
    });
  }

for (const level of ['-O2', '-O3'])
  test(`clones that are numbered anew are no change (${level})`, () => {
    const found = functionsOf('gcc', 'clones.c', [level, '-fipa-cp-clone', '--param=ipa-cp-eval-threshold=1'], []);
    assert.equal(
      found.filter((one) => !/helper/.test(one)),
      ['modified early'],
    );
    assert.equal(
      found.filter((one) => one.startsWith('modified') && /helper/.test(one)),
      [],
    );
  });

test('a thread-local variable is told by its descriptor', () => {
  const flags = ['-fPIC', '-shared', '-fvisibility=hidden', '-mtls-dialect=gnu2'];
  const result = diffPair(compilePair('exact.c', { flags, new: ['-DSHIFT', '-DCHANGE=LOCAL'] }));
  assert.equal(result.refusals, []);
  const modified = result.functions.filter(({ change }) => change === 'modified').map(({ name }) => name);
  assert.equal(modified, ['local']);
});

test('the size of a branch, padding, and data in code are no change', () => {
  assert.equal(functionsOf('gcc', 'relaxed.c', [], []), []);
});

test('a turned condition behind all that is one', () => {
  assert.equal(functionsOf('gcc', 'relaxed.c', ['-DCHANGE'], []), ['modified second']);
});

test('other data in code is one', () => {
  assert.equal(functionsOf('gcc', 'relaxed.c', ['-DDATA'], []), ['modified odd']);
});

test.run();
