// SPDX-License-Identifier: MIT
/** What counts as a change: exactly the functions whose behaviour can differ, whatever addresses do. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compilePair, diffPair, golden, summary } from './helpers.js';

const test = suite('compare');

test('shifted addresses are no change', () => {
  const result = diffPair(compilePair('program.c', { new: ['-DSHIFT'] }));
  assert.equal(result.functions, []);
  assert.equal(result.refusals, []);
  assert.is(result.differs, false);
  assert.is(result.patch, null);
});

test('shifted addresses are no change in a program of small functions either', () => {
  for (const flags of [['-Os'], ['-O3', '-fno-plt'], ['-O1', '-fcf-protection=full'], ['-O2', '-Wl,-z,lazy']]) {
    const result = diffPair(compilePair('program.c', { flags, new: ['-DSHIFT'] }));
    assert.equal(
      summary(result),
      { differs: false, functions: [], data: [], refusals: [], notes: [] },
      flags.join(' '),
    );
  }
});

const one: readonly [string, number][] = [
  ['immediate', 1],
  ['string', 2],
  ['switch', 3],
  ['float', 4],
  ['cold', 5],
  ['callee', 6],
  ['added', 7],
  ['table', 9],
  ['member-of-array', 10],
  ['condition', 11],
];
for (const [name, number] of one) {
  test(`one change is found although everything has moved: ${name}`, () => {
    const result = diffPair(compilePair('program.c', { new: [`-DONE=${number}`, '-DSHIFT'] }));
    golden(`program-${name}`, summary(result));
    assert.ok(result.patch !== null);
  });
}

test('an immediate is told with its old and new value', () => {
  const { functions } = diffPair(compilePair('program.c', { new: ['-DONE=1'] }));
  assert.match(functions[0]!.reasons.join(), /immediate 0x408 → 0x808 at \+0x/);
});

test('a branch to where the function itself ends is no change', () => {
  const result = diffPair(compilePair('end-branch.c', { new: ['-DSHIFT'] }));
  assert.equal(
    result.functions.map(({ name, change }) => `${change} ${name}`),
    ['added moved'],
  );
});

test('the same input gives the same result', () => {
  const pair = compilePair('program.c', { new: ['-DONE=7', '-DSHIFT'] });
  assert.equal(diffPair(pair).patch, diffPair(pair).patch);
});

test.run();
