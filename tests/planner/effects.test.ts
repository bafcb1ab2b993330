// SPDX-License-Identifier: MIT
/** Notes about what a changed function does beyond itself: each told once, and none without a reason. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compilePair, diffPair } from './helpers.js';

const test = suite('effects');

const notesOf = (define: string, optimise: string) => {
  const result = diffPair(compilePair('effects.c', { flags: [`-D${define}`, optimise] }));
  assert.ok(result.functions.some(({ name, change }) => name === 'work' && change === 'modified'));
  return result.notes.map(({ code, symbol, message }) => `${code} ${symbol}: ${message.replace(/; .*/, '')}`);
};

const cases: readonly [string, string, readonly string[]][] = [
  ['a global variable', 'WRITES', ['WRITES_NEW work: function work writes errors, which it did not write before']],
  ['a call of another object', 'CALLS', ['CALLS_NEW work: function work calls getppid, which it did not call before']],
  [
    'a lock',
    'LOCKS',
    ['LOCKING_CHANGED work: function work now calls pthread_mutex_lock, now calls pthread_mutex_unlock'],
  ],
  ['a result', 'RETURNS', ['RETURNS_NEW work: function work returns -22, which it did not return before']],
  [
    'what a new function does for it',
    'SPLIT',
    [
      'WRITES_NEW work: function work writes errors, which it did not write before',
      'CALLS_NEW work: function work calls getppid, printf, which it did not call before',
    ],
  ],
  ['nothing', 'NOTHING', []],
];
for (const [title, define, expected] of cases)
  for (const optimise of ['-O2', '-O0'])
    test(`a fix that adds ${title} is noted so (${optimise})`, () => {
      assert.equal(notesOf(define, optimise), expected);
    });

test.run();
