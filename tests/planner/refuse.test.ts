// SPDX-License-Identifier: MIT
// timeout: 400
/** What is refused, each with its exact code and the symbol it is about; and what --allow makes of it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ElfError, type Finding } from '../../planner/index.js';
import { compilePair, diffPair, scratchFolder } from './helpers.js';
import { rows } from './refusals.js';

const test = suite('refuse');

/** Codes that refuse nothing. */
const NOTES = [
  'ALWAYS_RUNNING',
  'CALLS_NEW',
  'LAYOUT_UNCHECKED',
  'LAYOUT_UNUSED',
  'LINE_ONLY',
  'LOCKING_CHANGED',
  'RETURNS_NEW',
  'WRITES_NEW',
];
const isNote = (one: string): boolean => NOTES.includes(one.split(' ')[0]!);

/** What was said, by code. */
const messages = new Map<string, string[]>();

for (const { title, source, build, found } of rows) {
  const refused = found.filter((one) => !isNote(one));
  test(`${title} is ${refused.length > 0 ? 'refused' : found.length > 0 ? 'noted' : 'fine'}`, () => {
    const result = diffPair(compilePair(source, build));
    for (const { code, message } of [...result.refusals, ...result.notes])
      messages.set(code, [...(messages.get(code) ?? []), message]);
    const told = (findings: readonly Finding[]) => [
      ...new Set(findings.map(({ code, symbol }) => `${code} ${symbol}`)),
    ];
    assert.equal([...told(result.refusals), ...told(result.notes)], found);
    assert.equal(told(result.refusals), refused);
    assert.ok(result.functions.length + result.data.length > 0, 'the fixture changes nothing');
    assert.is(result.patch === null, refused.length > 0);
  });
}

test('every message that the patch author guide quotes is one that a fixture produces', () => {
  const guide = readFileSync(new URL('../../../docs/patch-author-guide.md', import.meta.url), 'utf8');
  const quotes = [...guide.matchAll(/^### (\S+)\n([\s\S]*?)(?=^##)/gm)].flatMap(([, code, body]) =>
    [...body!.matchAll(/^> (.+)$/gm)].map(([, quote]) => ({ code: code!, quote: quote! })),
  );
  const known = quotes.filter(({ code }) => messages.has(code));
  assert.ok(known.length >= 25, `${known.length} quotes`);
  const lost = known.filter(({ code, quote }) => !messages.get(code)!.some((message) => says(message, quote)));
  assert.equal(lost, []);
});

/** Addresses are the compiler's business, and an ellipsis stands for anything. */
function says(message: string, quote: string): boolean {
  const pattern = quote
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/0x[0-9a-f]+/g, '0x[0-9a-f]+'))
    .join('.*');
  return new RegExp(`^${pattern}$`).test(message);
}

test('a small library that grows to several times its functions is still the same library', () => {
  const result = diffPair(compilePair('grows.cpp', { flags: ['-fPIC', '-shared'] }));
  const modified = result.functions.filter(({ change }) => change === 'modified').map(({ name }) => name);
  assert.equal(modified, ['checked']);
  assert.ok(result.functions.filter(({ change }) => change === 'added').length > 20);
});

test('the message about a layout names the type and the member', () => {
  const { refusals } = diffPair(compilePair('layout.c', { flags: ['-DMEMBER'] }));
  assert.match(
    refusals[0]!.message,
    /struct request: member deadline is new at 12 and its size is 16 → 24 bytes|struct request: member deadline is new at 12/,
  );
});

test('a renumbered enumerator is named with its values', () => {
  const { refusals } = diffPair(compilePair('layout.c', { flags: ['-DRENUMBER'] }));
  assert.match(refusals[0]!.message, /enum state: IDLE is \d instead of \d,|enum state: BUSY is \d instead of \d,/);
});

test('an enumeration may grow at its end', () => {
  const result = diffPair(compilePair('layout.c', { flags: ['-DAPPEND'] }));
  assert.equal(result.refusals, []);
});

test('without debugging information a note says that layouts were not compared', () => {
  const result = diffPair(compilePair('program.c', { flags: ['-g0'], new: ['-DONE=1'] }));
  assert.equal(
    result.notes.map(({ code }) => code),
    ['LAYOUT_UNCHECKED'],
  );
  assert.equal(
    result.patch?.notes.map(({ code }) => code),
    ['LAYOUT_UNCHECKED'],
  );
});

test('other flags are refused, with the file and the flags', () => {
  const { refusals } = diffPair(compilePair('program.c', { new: ['-DONE=1', '-O3', '-fno-inline'] }));
  assert.equal(
    refusals.map(({ code }) => code),
    ['PRODUCER_DIFFERS'],
  );
  assert.match(
    refusals[0]!.message,
    /program\.c was compiled differently: -O2 in the old file, -O3 -fno-inline in the new;/,
  );
});

test('flags that change no code are none', () => {
  const harmless = ['-ggdb3', '-Wextra', '-fdebug-prefix-map=/a=/b', '-frandom-seed=7', '-O1', '-O2'];
  assert.equal(diffPair(compilePair('program.c', { new: ['-DONE=1', ...harmless] })).refusals, []);
});

test('another compiler is refused by .comment if there is no debugging information', () => {
  const pair = compilePair('program.c', { flags: ['-g0'], new: ['-DONE=1'] });
  const other = join(scratchFolder(), 'no-comment');
  execFileSync('objcopy', ['--remove-section', '.comment', pair.newPath, other]);
  const result = diffPair({ ...pair, new: readFileSync(other) });
  assert.equal(
    result.refusals.map(({ code }) => code),
    ['PRODUCER_DIFFERS'],
  );
});

test('an allowed refusal becomes a note, for its symbol only', () => {
  const pair = compilePair('refuse-data.c', { flags: ['-DVALUE'] });
  const allowed = diffPair(pair, { allow: [{ code: 'DATA_CHANGED', symbol: 'limit' }] });
  assert.equal(allowed.refusals, []);
  assert.equal(
    allowed.notes.map(({ code }) => code),
    ['DATA_CHANGED'],
  );
  const other = diffPair(pair, { allow: [{ code: 'DATA_CHANGED', symbol: 'table' }] });
  assert.is(other.refusals.length, 1);
});

test('variables of one name are told apart while their number stays', () => {
  assert.equal(diffPair(compilePair('ambiguous.c')).refusals, []);
});

test('a resized variable cannot be allowed', () => {
  const result = diffPair(compilePair('refuse-data.c', { flags: ['-DSIZE'] }), {
    allow: [{ code: 'DATA_CHANGED', symbol: null }],
  });
  assert.equal(
    result.refusals.map(({ code }) => code),
    ['DATA_CHANGED'],
  );
});

test('two different programs are unusable input', () => {
  const [a, b] = [compilePair('program.c'), compilePair('refuse-other.c')];
  assert.throws(
    () => diffPair({ ...a, new: b.new }),
    (error: unknown) => error instanceof ElfError && error.code === 'DIFFERENT',
  );
});

test.run();
