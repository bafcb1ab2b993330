// SPDX-License-Identifier: MIT
// The documents are true as far as a machine can tell: every code of the planner has its section in the guide, commands exist, links lead
// somewhere. What a sentence says is for people to check.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ALLOWABLE } from '../../planner/rules/index.js';
import { checkout, contentOf, filesOfCheckout } from './checkout.js';

const files = filesOfCheckout();
const guide = 'docs/patch-author-guide.md';
const documents = files.filter((file) => file.endsWith('.md'));
const unique = (words: Iterable<string>) => [...new Set(words)].sort();

/** Findings are made in these two folders only, and a code is the only literal there that looks like one. */
const makesFindings = (file: string) => /^planner\/(rules|emit)\/.*\.ts$/.test(file);
const codesIn = (text: string) => [...text.matchAll(/'([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)'/g)].map((match) => match[1]!);
const codes = unique(files.filter(makesFindings).flatMap((file) => codesIn(contentOf(file))));

/** The guide's sections about codes: the heading, and the paragraph behind it. */
const sections = new Map(
  [...contentOf(guide).matchAll(/^### (\S+)\n\n(.+)$/gm)].map((match) => [match[1]!, match[2]!] as const),
);

test('every code of the planner has its section in the patch author guide, and every section its code', () => {
  assert.ok(codes.length > 10, `expected many codes, found ${codes.join(', ') || 'none'}`);
  assert.equal(unique(sections.keys()), codes);
});

test('every code of the planner is expected by a test of the planner', () => {
  const tests = files.filter((file) => /^tests\/planner\/.*\.ts$/.test(file)).map(contentOf);
  assert.equal(
    codes.filter((code) => !tests.some((text) => new RegExp(`['"]${code}\\b`).test(text))),
    [],
  );
});

test('nobody makes findings elsewhere in the planner', () => {
  const elsewhere = files.filter((file) => /^planner\/.*\.ts$/.test(file) && !makesFindings(file));
  const known = new Set(codes);
  const found = elsewhere.filter(
    (file) => /\bcode: '[A-Z]/.test(contentOf(file)) || codesIn(contentOf(file)).some((code) => known.has(code)),
  );
  assert.equal(found, []);
});

test('the guide says of every code whether it refuses, and whether that may be allowed', () => {
  const wrong = [...sections].filter(([, line]) => !/^(Note\.|Refusal\. (May|Cannot) be allowed\b)/.test(line));
  assert.equal(wrong, []);
  const allowable = [...sections].filter(([, line]) => line.startsWith('Refusal. May be allowed'));
  assert.equal(unique(allowable.map(([code]) => code)), unique(ALLOWABLE));
});

test('the README has the two commands', () => {
  for (const command of ['npm ci && npm run demo', 'npm ci && npm test'])
    assert.match(contentOf('README.md'), new RegExp(`^ *${command}\\b`, 'm'));
});

test('every npm script that a document names exists', () => {
  const { scripts } = JSON.parse(contentOf('package.json'));
  const named = documents.flatMap((file) =>
    [...contentOf(file).matchAll(/\bnpm (?:run(?: -s)?|(?=test\b)) ?([\w-]+(?::[\w-]+)*)/g)].map((match) => ({
      file,
      script: match[1]!,
    })),
  );
  assert.ok(named.length > 5, `expected several scripts, found ${named.length}`);
  assert.equal(
    named.filter(({ script }) => !(script in scripts)),
    [],
  );
});

test('every package has its line in ARCHITECTURE.md', () => {
  const { dependencies, devDependencies } = JSON.parse(contentOf('package.json'));
  const table = contentOf('ARCHITECTURE.md').split('## Packages')[1] ?? '';
  const missing = Object.keys({ ...dependencies, ...devDependencies })
    .map((name) => name.replace(/^@types\/.*/, '@types/*'))
    .filter((name) => !table.includes(name));
  assert.equal(missing, []);
});

test('relative links lead to files, and to headings that are there', () => {
  const links = documents.flatMap((file) =>
    [...contentOf(file).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => ({ file, link: match[1]! })),
  );
  const relative = links.filter(({ link }) => !/^[a-z]+:/.test(link));
  assert.ok(relative.length > 5, `expected several links, found ${relative.length}`);
  assert.equal(
    relative.filter(({ file, link }) => !leads(file, link)),
    [],
  );
});

function leads(file: string, link: string): boolean {
  const [path, anchor] = link.split('#') as [string, string | undefined];
  const target = path === '' ? file : join(dirname(file), path);
  if (!existsSync(join(checkout, target))) return false;
  return anchor === undefined || anchorsOf(target).includes(anchor);
}

/** Headings as the forges turn them into anchors. */
const anchorsOf = (file: string): string[] =>
  [...contentOf(file).matchAll(/^#+ (.+)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

test('the licences that SPDX lines name are here', () => {
  for (const text of ['LICENSES/MIT.txt', 'LICENSES/GPL-2.0-only.txt', 'LICENSES/exceptions/Linux-syscall-note'])
    assert.ok(files.includes(text) && contentOf(text).length > 500, `expected ${text}`);
});

test.run();
