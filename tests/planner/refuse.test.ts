// SPDX-License-Identifier: MIT
/** What is refused, each with its exact code and the symbol it is about; and what --allow makes of it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ElfError } from '../../planner/index.js';
import { type Build, compilePair, diffPair, scratchFolder } from './helpers.js';

const test = suite('refuse');

const cases: readonly [string, string, Build, readonly string[]][] = [
  ['a structure that gains a member', 'layout.c', {}, ['LAYOUT_CHANGED struct request']],
  ['a renumbered enumeration', 'layout.c', { flags: ['-DRENUMBER'] }, ['LAYOUT_CHANGED enum state']],
  ['another initial value', 'refuse-data.c', { flags: ['-DVALUE'] }, ['DATA_CHANGED limit']],
  ['another size', 'refuse-data.c', { flags: ['-DSIZE'] }, ['DATA_CHANGED table']],
  ['an entry without room', 'refuse-entry.c', { flags: ['-DSMALL'] }, ['ENTRY_TOO_SMALL tiny']],
  ['a loop into the entry', 'refuse-entry.c', {}, ['BRANCH_INTO_ENTRY tiny']],
  ['a new import', 'refuse-other.c', { flags: ['-DIMPORT'] }, ['IMPORT_NEW getppid@GLIBC_2.2.5']],
  ['a moved thread-local variable', 'refuse-other.c', { flags: ['-DTLS'] }, ['TLS_UNSUPPORTED work']],
  ['assembly without a size', 'refuse-other.c', { flags: ['-DUNSIZED'] }, ['FUNCTION_UNSIZED loose']],
  ['functions within each other', 'refuse-other.c', { flags: ['-DOVERLAP'] }, ['FUNCTIONS_OVERLAP inner']],
  [
    'a third variable of one name',
    'ambiguous.c',
    { flags: ['-DCLASH'] },
    ['DATA_AMBIGUOUS seen.0', 'DATA_AMBIGUOUS seen.1'],
  ],
  ['a function that catches', 'unwind.cpp', {}, ['UNWIND_NEEDED parse(std::__cxx11::basic_string']],
];
for (const [title, source, build, expected] of cases) {
  test(`${title} is refused`, () => {
    const result = diffPair(compilePair(source, build));
    const found = result.refusals.map(({ code, symbol }) => `${code} ${symbol}`);
    if (source.endsWith('.cpp'))
      assert.ok(found.length > 0 && found.every((one) => one.startsWith('UNWIND_NEEDED _Z5parse')), found.join());
    else assert.equal([...new Set(found)], expected);
    assert.is(result.patch, null);
  });
}

test('a constructor that appears is refused', () => {
  const result = diffPair(compilePair('refuse-other.c', { flags: ['-DINIT'] }));
  assert.equal(
    result.refusals.map(({ code, symbol }) => `${code} ${symbol}`),
    ['INIT_CHANGED early'],
  );
});

test('the message about a layout names the type and the member', () => {
  const { refusals } = diffPair(compilePair('layout.c'));
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

test('code that is not position-independent is refused', () => {
  const result = diffPair(compilePair('program.c', { flags: ['-fno-pie', '-no-pie'], new: ['-DONE=1'] }));
  assert.ok(result.refusals.some(({ code }) => code === 'ABSOLUTE_CODE'));
});

test('another compiler is refused', () => {
  const pair = compilePair('program.c', { new: ['-DONE=1'] });
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
