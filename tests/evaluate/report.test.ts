// SPDX-License-Identifier: MIT
// long: npm test runs it, npm run check does not
/** The page that people look at, in a browser: each chart shows something, no two of its words overlap, and it needs nothing else. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { keepEvaluation } from '../../zx-scripts/evaluate/keep.js';
import type { SyntheticCase } from '../../zx-scripts/evaluate/synthetic/case.js';
import type { SyntheticData } from '../../zx-scripts/evaluate/synthetic/table.js';
import { assertShown, chartsInBrowser } from './browser.js';
import { sampleAfter, sampleCorpus, sampleServers, sampleSynthetic } from './sample.js';

const docs = mkdtempSync(join(tmpdir(), 'driftpatch-report-'));
const rest = { text: '', guest: 'tcg', series: [] } as const;
const [rows, synthetic, servers] = [sampleCorpus(), sampleSynthetic(), sampleServers()];
const keep = (name: string, data: unknown, problems: string[] = [], part = false) =>
  keepEvaluation(docs, name, { ...rest, data, problems }, part);
await keep('servers', servers);
await keep('corpus', rows.slice(1), ['redis 013: expected <this>, found that', 'memcached 001: expected more']);
await keep('corpus', rows.slice(0, 2), [], true);
await keep(
  'synthetic',
  partOf(({ threads }) => threads !== 2),
);
await keep(
  'synthetic',
  partOf(({ threads }) => threads === 2),
  [],
  true,
);
await keep('after', sampleAfter());
const page = readFileSync(join(docs, 'evaluation/index.html'), 'utf8');
const markdown = readFileSync(join(docs, 'evaluation.md'), 'utf8');

const seen = chartsInBrowser(page);

function partOf(wanted: (one: SyntheticCase) => boolean): SyntheticData {
  const cases = synthetic.cases.filter(wanted);
  return { cases, runs: synthetic.runs.filter(({ name }) => cases.some((one) => one.name === name)) };
}

test('in a browser, every chart has its marks and its words, none of which overlap or stick out', () => {
  if (seen === null) return console.log('  skipped: no chromium-headless-shell here');
  // One of the corpus, three synthetic ones, two for each server, one of what comes after.
  assert.is(seen.length, 1 + 3 + 2 * 2 + 1);
  for (const [at, chart] of seen.entries()) assertShown(chart, `chart ${at}`);
});

test('the page needs no other file and runs no script', () => {
  assert.not.match(page, /<script|<link|src=|@import|url\((?!#)/);
  const addresses = [...page.matchAll(/(?:href|xmlns[^=]*)="([^"#]+)"/g)].map(([, address]) => address!);
  assert.equal([...new Set(addresses)].filter((address) => !address.startsWith('http://www.w3.org/')).sort(), [
    'after.json',
    'corpus.json',
    'servers.json',
    'synthetic.json',
  ]);
});

test('what is no number is nowhere, and what was not shown is said', () => {
  assert.not.match(page, /NaN|undefined|Infinity/);
  assert.not.match(markdown, /NaN|undefined|Infinity/);
  assert.match(page, 'Not shown: redis 013: expected &lt;this&gt;, found that');
  assert.match(markdown, '**Not shown:** redis 013');
  assert.not.match(page + markdown, 'memcached 001: expected more', 'settled by the run that came after');
});

test('what a run of a part has found goes among what there is, in its place', () => {
  const found = [...markdown.matchAll(/^\| (\w+) 1\.0-1 \| CVE-2026-(\d+)/gm)].map(
    ([, program, fix]) => `${program} ${fix}`,
  );
  assert.equal(
    found,
    [...rows.map(({ program, fix }) => `${program} ${fix}`)].sort((one, other) => order(one) - order(other)),
  );
});

/** As zx-scripts/servers/subjects.ts has them. */
function order(name: string): number {
  const [program, fix] = name.split(' ');
  return ['memcached', 'redis', 'nginx', 'mosquitto', 'libxml2'].indexOf(program!) * 1000 + Number(fix);
}

test('so have cases of the program that was made for it, whichever was run first', () => {
  const found = [...markdown.matchAll(/^\| (\d+ threads) \| wait-free/gm)].map(([, name]) => name);
  assert.equal(found, ['2 threads', '16 threads', '64 threads', '256 threads', '1000 threads']);
});

test('the sections stand in their order, whichever was made last', () => {
  const titles = [...markdown.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  assert.equal(titles, [
    'Real fixes on real servers',
    'A program made for it',
    'What requests feel',
    'After the transition',
  ]);
});

test.after(() => rmSync(docs, { recursive: true }));
test.run();
