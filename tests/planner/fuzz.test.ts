// SPDX-License-Identifier: MIT
// timeout: 400
/**
 * Damaged binaries and patch files, some thousands, always the same: a result or a PlannerError each, in bounded time and
 * memory. `npm run fuzz -- --seconds N` goes on for longer, over the corpus as well.
 */
import { readdirSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { countsText, runCampaign } from './fuzz/campaign.js';
import { makeCase, tryCase } from './fuzz/cases.js';
import { fixtureSubjects } from './fuzz/subjects.js';
import { scratchFolder } from './helpers.js';

const test = suite('fuzz');
const subjects = fixtureSubjects();

test('damaged input gives a result or an error with a code and a place', async () => {
  const files = () => [...readdirSync(process.cwd()), ...readdirSync(scratchFolder())].sort();
  const before = files();
  const result = await runCampaign({ subjects, seed: 1, cases: 1500, caseSeconds: 20, memory: 1024 });
  console.log(`figure: ${countsText(result)}`);
  assert.equal(result.finds, []);
  assert.is(result.tried, 1500);
  for (const kind of ['diffed', 'refused', 'read', 'TRUNCATED', 'DAMAGED', 'HEADER', 'SECTION'])
    assert.ok((result.counts.get(kind) ?? 0) > 0, `no case ended with ${kind}`);
  assert.equal(files(), before);
});

test('a case is the same whenever it is made', () => {
  for (const index of [3, 14, 159]) assert.equal(makeCase(subjects, 26, index), makeCase(subjects, 26, index));
});

test('a case without an end, or with too much memory, is a find, and the others are tried', async () => {
  const worker = new URL('fuzz/stuck-worker.js', import.meta.url);
  const { tried, finds } = await runCampaign({ subjects, seed: 1, cases: 5, caseSeconds: 1, memory: 64, worker });
  assert.is(tried, 3);
  assert.equal(
    finds.map(({ index }) => index),
    [1, 3],
  );
  assert.match(finds[0]!.what, /no end after 1 s/);
  assert.match(finds[1]!.what, /memory/);
});

test('an error that is none of ours is a find', () => {
  const outcome = tryCase({ subject: subjects[0]!, what: 'patch', bytes: [] });
  assert.match('find' in outcome ? outcome.find : '', /TypeError/);
});

test.run();
