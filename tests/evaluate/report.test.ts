// SPDX-License-Identifier: MIT
// long: npm test runs it, npm run check does not
/** The page that people look at, in a browser: each chart shows something, no two of its words overlap, and it needs nothing else. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { keepEvaluation } from '../../zx-scripts/evaluate/keep.js';
import { sampleCorpus, sampleServers, sampleSynthetic } from './sample.js';

const docs = mkdtempSync(join(tmpdir(), 'driftpatch-report-'));
const rest = { text: '', guest: 'tcg', series: [] } as const;
const [rows, synthetic, servers] = [sampleCorpus(), sampleSynthetic(), sampleServers()];
const keep = (name: string, data: unknown, problems: string[] = [], part = false) =>
  keepEvaluation(docs, name, { ...rest, data, problems }, part);
await keep('servers', servers);
await keep('corpus', rows.slice(1), ['redis 013: expected <this>, found that', 'memcached 001: expected more']);
await keep('corpus', rows.slice(0, 2), [], true);
await keep('synthetic', synthetic);
const page = readFileSync(join(docs, 'evaluation/index.html'), 'utf8');
const markdown = readFileSync(join(docs, 'evaluation.md'), 'utf8');

interface Seen {
  readonly words: number;
  /** Lines, areas and points in the chart’s own area, beyond its axes. */
  readonly marks: number;
  readonly overlaps: readonly string[];
  readonly outside: readonly string[];
}

/** Runs in the page. */
const look = `
const seen = [...document.querySelectorAll('figure svg')].map((svg) => {
  const frame = svg.getBoundingClientRect();
  const words = [...svg.querySelectorAll('text')].map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }));
  const overlaps = words.flatMap((one, at) => words.slice(at + 1).filter(({ box }) =>
    box.left + 1 < one.box.right && one.box.left + 1 < box.right && box.top + 1 < one.box.bottom && one.box.top + 1 < box.bottom,
  ).map(({ text }) => one.text + ' / ' + text));
  const outside = words.filter(({ box }) =>
    box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
  const marks = [...svg.querySelectorAll('path')].filter((path) => {
    const colour = (path.getAttribute('stroke') || '') + (path.getAttribute('fill') || '');
    const { width, height } = path.getBoundingClientRect();
    return /1a7f37|cf222e|9a6700|8b949e|57606a|dafbe1/i.test(colour) && width + height > 0;
  }).length;
  return { words: words.length, marks, overlaps, outside: outside.map(({ text }) => text) };
});
document.body.innerHTML = '<pre id="seen">' + encodeURIComponent(JSON.stringify(seen)) + '</pre>';
`;

function inBrowser(): Seen[] | null {
  const file = join(docs, 'looked-at.html');
  writeFileSync(file, page.replace('</html>', `<script>${look}</script></html>`));
  const words = ['--no-sandbox', '--disable-gpu', '--window-size=1000,3000', '--dump-dom', `file://${file}`];
  for (const browser of ['chromium-headless-shell', 'chromium']) {
    const { stdout, error } = spawnSync(browser, browser === 'chromium' ? ['--headless', ...words] : words, {
      encoding: 'utf8',
      timeout: 120_000,
      maxBuffer: 1 << 26,
    });
    if (error && (error as NodeJS.ErrnoException).code === 'ENOENT') continue;
    const found = /<pre id="seen">([^<]*)<\/pre>/.exec(stdout)?.[1];
    assert.ok(found, `expected ${browser} to look at the page, found ${error ?? stdout.slice(-500)}`);
    return JSON.parse(decodeURIComponent(found));
  }
  return null;
}

const seen = inBrowser();

test('in a browser, every chart has its marks and its words, none of which overlap or stick out', () => {
  if (seen === null) return console.log('  skipped: no chromium-headless-shell here');
  // One of the corpus, three synthetic ones, three for each server.
  assert.is(seen.length, 1 + 3 + 2 * 3);
  for (const [at, { words, marks, overlaps, outside }] of seen.entries()) {
    assert.ok(words >= 8, `chart ${at}: ${words} words`);
    assert.ok(marks >= 3, `chart ${at}: ${marks} marks`);
    assert.equal(overlaps, [], `chart ${at}`);
    assert.equal(outside, [], `chart ${at}`);
  }
});

test('the page needs no other file and runs no script', () => {
  assert.not.match(page, /<script|<link|src=|@import|url\((?!#)/);
  const addresses = [...page.matchAll(/(?:href|xmlns[^=]*)="([^"#]+)"/g)].map(([, address]) => address!);
  assert.equal([...new Set(addresses)].filter((address) => !address.startsWith('http://www.w3.org/')).sort(), [
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

test('the sections stand in their order, whichever was made last', () => {
  const titles = [...markdown.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  assert.equal(titles, ['Real fixes on real servers', 'A program made for it', 'What requests feel']);
});

test.after(() => rmSync(docs, { recursive: true }));
test.run();
