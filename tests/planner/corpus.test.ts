// SPDX-License-Identifier: MIT
/**
 * Every pair of the corpus of real fixes: exactly the functions that behave differently, what is refused, and the exit status.
 *
 * tests/planner/corpus/PROGRAM.json has what was reviewed, with a `why` where it is not what the source touches; those stay when the
 * rest is written anew. Runs in `npm test` and not in `npm run check`: it takes a minute.
 */
// timeout: 600
// long: npm test runs it, npm run check does not
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type DiffResult, diff } from '../../planner/index.js';
import { corpusPairs, type Pair } from '../../zx-scripts/bench/pairs.js';
import { compareGolden, readGolden } from './golden.js';

const test = suite('corpus');
const expected = fileURLToPath(new URL('../../../tests/planner/corpus/', import.meta.url));

const quiet = { onStep: () => {}, say: (line: string) => console.log(line), end: () => {} };
const pairs = await corpusPairs(false, quiet);

/** As the command line ends: 0 written, 3 nothing differs, 4 refused. */
const statusOf = ({ refusals, patch }: DiffResult): number => (refusals.length > 0 ? 4 : patch === null ? 3 : 0);

/** What is worth reviewing; nothing that another compiler would change, such as addresses. */
function outcome(pair: Pair, why: unknown) {
  const result = diff(readFileSync(pair.old), readFileSync(pair.new), { oldName: 'old', newName: 'new', name: 'fix' });
  const named = (change: string) => result.functions.filter((fn) => fn.change === change).map(({ name }) => name);
  const findings = (list: DiffResult['notes']) => [
    ...new Set(list.map(({ code, symbol }) => (symbol === null ? code : `${code} ${symbol}`))),
  ];
  const lines = result.notes.filter(({ code }) => code === 'LINE_ONLY');
  return {
    ...(why === undefined ? {} : { why }),
    status: statusOf(result),
    modified: named('modified'),
    added: named('added'),
    removed: named('removed'),
    data: result.data.map(({ name, change }) => `${change} ${name}`),
    lineOnly: lines.map(({ symbol }) => symbol),
    refusals: findings(result.refusals),
    notes: findings(result.notes.filter((note) => !lines.includes(note))),
  };
}

if (pairs === null)
  test('real fixes are as reviewed', () => {
    console.log('  skipped: no corpus (DRIFTPATCH_CORPUS, or ../shared/corpus beside the checkout)');
  });
else {
  assert.ok(pairs.length > 0, 'the corpus is empty');
  for (const program of new Set(pairs.map(({ name }) => name.split('/')[0]!))) {
    test(`the fixes of ${program} are as reviewed`, () => {
      const path = join(expected, `${program}.json`);
      const known = (readGolden(path) ?? {}) as Record<string, Record<string, { why?: string }>>;
      const found: Record<string, Record<string, unknown>> = {};
      for (const pair of pairs.filter(({ name }) => name.startsWith(`${program}/`))) {
        const [, fix, file] = pair.name.split('/') as [string, string, string];
        found[fix] ??= {};
        found[fix][file] = outcome(pair, known[fix]?.[file]?.why);
      }
      compareGolden(path, found, program);
    });
  }
}

test.run();
