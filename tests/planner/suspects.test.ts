// SPDX-License-Identifier: MIT
/** The sweep spares work and decides nothing: what it calls no suspect, looking closely calls the same. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { makeContext } from '../../planner/compare/context.js';
import { sameFunction } from '../../planner/compare/functions.js';
import { openElf } from '../../planner/elf/open.js';
import { compilePair, corpusPair, hasCorpus, type Pair } from './helpers.js';

const test = suite('suspects');

/** Shares of functions that were spared; fails for one that sameFunction calls different. */
function sparedShare(pair: Pair): number {
  const context = makeContext(openElf(pair.old, 'old'), openElf(pair.new, 'new'));
  const suspects = new Set(context.suspects);
  const spared = context.after.functions.filter((fn) => !suspects.has(fn));
  for (const fn of spared) {
    const old = context.functions.oldOf.get(fn);
    assert.ok(old !== undefined, fn.name);
    assert.ok(sameFunction(context, old, fn), `${fn.name} was spared but differs`);
  }
  return spared.length / context.after.functions.length;
}

const flags = [[], ['-O0'], ['-O3', '-fno-plt', '-fcf-protection=full']];
for (const number of [1, 2, 3, 4, 5, 6, 7, 9, 10, 11])
  test(`change ${number} of the program is never overlooked, whatever the flags`, () => {
    for (const chosen of flags)
      sparedShare(compilePair('program.c', { flags: chosen, new: [`-DONE=${number}`, '-DSHIFT'] }));
  });

test('where nothing but addresses differs, nearly nothing is suspect', () => {
  const share = sparedShare(compilePair('program.c', { new: ['-DSHIFT'] }));
  assert.ok(share > 0.8, `${share}`);
});

test('who loads a number is no suspect because another number lies behind it', () => {
  const flags = ['-fno-inline', '-fno-ipa-icf'];
  const { old, new: now } = compilePair('shared-constants.c', { flags, new: ['-DNUMBER'] });
  const { suspects } = makeContext(openElf(old, 'old'), openElf(now, 'new'));
  assert.equal(
    suspects.map(({ name }) => name),
    ['times_c'],
  );
});

const withCorpus = hasCorpus('memcached') ? test : test.skip;
withCorpus('nearly nothing is suspect in a real fix, and nothing that differs is spared', () => {
  const share = sparedShare(corpusPair('memcached', '007'));
  assert.ok(share > 0.95, `${share}`);
});

test.run();
