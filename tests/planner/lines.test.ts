// SPDX-License-Identifier: MIT
/** Line numbers: functions that differ in nothing else are notes, and what only looks like a line is a change. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readLines } from '../../planner/elf/dwarf/lines.js';
import { openElf } from '../../planner/elf/open.js';
import { compilePair, diffPair } from './helpers.js';

const test = suite('lines');

/** The fix adds `shift` lines in front of everything. */
const changed = (flags: readonly string[], shift = 1024) => {
  const result = diffPair(compilePair('lines.c', { flags, old: ['-DSTART=100'], new: [`-DSTART=${100 + shift}`] }));
  return {
    functions: result.functions.map(({ name, change }) => `${change} ${name}`),
    notes: result.notes.filter(({ code }) => code === 'LINE_ONLY').map(({ symbol }) => symbol),
    refusals: result.refusals.map(({ code, symbol }) => `${code} ${symbol}`),
    differs: result.differs,
  };
};

for (const [shift, ...flags] of [
  [1, '-O2'],
  [1024, '-O0'],
  [1024, '-O1', '-gdwarf-4'],
  [1, '-O3'],
  [1024, '-Os', '-gz'],
] as const)
  test(`lines in registers, memory, texts and names are notes (${flags.join(' ')}, ${shift} lines)`, () => {
    const result = changed(flags, shift);
    assert.equal(result.functions, []);
    assert.equal(result.refusals, []);
    assert.is(result.differs, false);
    for (const name of ['in_register', 'on_stack', 'in_memory', 'in_text', 'in_header', 'over_lines', 'in_own_inline'])
      assert.ok(result.notes.includes(name), name);
  });

const traps: readonly [string, string, number][] = [
  ['a size that grows by exactly the lines that were added', '-DTRAP', 1024],
  ['a line given to malloc', '-DSIZE', 1024],
  ['a line given for a size by another name', '-DSIZED', 1024],
  ['a number that grows by exactly the one line that was added', '-DPLAIN', 1],
  ['a result that grows by exactly the one line that was added', '-DRESULT', 1],
  ['a stored number that grows by exactly the lines that were added', '-DSTORE', 1024],
  ['a number in a text that grows by exactly the lines that were added', '-DDIGITS', 1024],
];
for (const [title, define, shift] of traps)
  test(`${title} is a change`, () => {
    assert.equal(changed([define], shift).functions, ['modified trap']);
  });

test('a function that changes for another reason takes its new lines along', () => {
  const result = changed(['-DALONG']);
  assert.equal(result.functions, ['modified trap']);
  assert.ok(!result.notes.includes('trap'));
});

test('without line programs everything is a change', () => {
  const result = changed(['-g0']);
  assert.ok(result.functions.includes('modified in_register'), result.functions.join());
  assert.equal(result.notes, []);
});

test('an instruction is found with its file and line', () => {
  const { old } = compilePair('lines.c', { old: ['-DSTART=100'], new: ['-DSTART=101'] });
  const image = openElf(old, 'program');
  const { value, size } = image.symbols.find(({ name }) => name === 'in_register')!;
  const lines = readLines(image, [{ start: value, end: value + size }])!;
  assert.match(lines(value)[0]!.file, /lines\.c$/);
  assert.is(lines(value)[0]!.line, 100);
  assert.equal(lines(value + size + 4096), []);
});

test.run();
