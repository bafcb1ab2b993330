// SPDX-License-Identifier: MIT
/** The figures that `npm run evaluate -- --json` gives: named once, of finite values, each against what it is to be compared with. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { summarize } from '../../zx-scripts/bench/result.js';
import { quotients } from '../../zx-scripts/evaluate/after/table.js';
import { afterSeries } from '../../zx-scripts/evaluate/after.js';
import { corpusSeries } from '../../zx-scripts/evaluate/corpus.js';
import { serversSeries } from '../../zx-scripts/evaluate/servers.js';
import { syntheticSeries } from '../../zx-scripts/evaluate/synthetic.js';
import { sampleAfter, sampleCorpus, sampleServers, sampleSynthetic } from './sample.js';

test('a fix has its transitions and how long requests were held up; one that is refused has none', () => {
  const results = summarize(corpusSeries(sampleCorpus()));
  assert.is(results.length, 5 * 3 * 2);
  assert.equal(
    results.slice(0, 2).map(({ name, runs }) => [name, runs]),
    [
      ['memcached/000/transition', 2],
      ['memcached/000/longest-request-by-the-one-before', 11],
    ],
  );
});

test('a standstill is compared with that of the window before, run by run', () => {
  const results = summarize(syntheticSeries(sampleSynthetic().runs));
  const during = results.find(({ name }) => name === '16-threads/stop/during')!;
  assert.equal([during.against, during.runs], ['16-threads/stop/before', 5]);
  assert.ok(during.ratio! > 4 && during.ratio! < 8, `${during.ratio}`);
});

test('a latency is compared with that of the quiet window, for each server, loop and way', () => {
  const results = summarize(serversSeries(sampleServers().runs));
  assert.is(results.length, 2 * 2 * 4 * 4 * 2);
  const p99 = results.find(({ name }) => name === 'redis/open/stop/p99/patched')!;
  assert.equal([p99.against, p99.ratio, p99.runs], ['redis/open/stop/p99/quiet', 3, 30]);
});

test('a patched server is compared with the restarted one of the same repetition, and so is a second restart', () => {
  const { runs } = sampleAfter();
  const results = summarize(afterSeries([...runs].reverse()));
  assert.is(results.length, 2 * 3 * 3);
  const [patched, again] = ['patched', 'again'].map(
    (way) => results.find(({ name }) => name === `redis/perSecond/${way}`)!,
  );
  assert.equal([patched!.against, patched!.runs], ['redis/perSecond/restarted', 7]);
  for (const [found, wanted] of [
    [patched!.ratioMin, 1.02],
    [patched!.ratioMax, 1.02],
    [again!.ratio, 0.99],
  ])
    assert.ok(Math.abs(found! - wanted!) < 1e-9, `${found}`);
  const memory = quotients(runs.slice(1), 'memcached', 'patched', ({ privateKiB }) => privateKiB);
  assert.equal(memory.length, 6, 'a repetition that lacks one of the two has no quotient');
});

test.run();
