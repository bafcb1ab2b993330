// SPDX-License-Identifier: MIT
/** The frame of all benchmarks: turns, ratios, the lines that programs print. Nothing here is timed. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runNode } from '../../zx-scripts/bench/command.js';
import { describeMachine } from '../../zx-scripts/bench/machine.js';
import { inTurns, median, summarize } from '../../zx-scripts/bench/result.js';
import { parseResultLines } from '../../zx-scripts/bench/result-lines.js';
import { figure, tableOf } from '../../zx-scripts/bench/table.js';

test('a ratio is the median of the ratios within each run, not the ratio of two medians', () => {
  const [slow] = summarize([
    { name: 'slow', unit: 's', values: [2, 30, 8], against: 'fast' },
    { name: 'fast', unit: 's', values: [1, 10, 8] },
  ]);
  assert.equal(slow, {
    name: 'slow',
    unit: 's',
    median: 8,
    min: 2,
    max: 30,
    runs: 3,
    against: 'fast',
    ratio: 2,
    ratioMin: 1,
    ratioMax: 3,
  });
});

test('what is compared with nothing has no ratio', () => {
  const [only] = summarize([{ name: 'only', unit: 's', values: [4, 1] }]);
  assert.equal(
    [only!.against, only!.ratio, only!.ratioMin, only!.ratioMax, only!.median],
    [null, null, null, null, 2.5],
  );
});

test('series that cannot be compared are errors that name them', () => {
  const one = { name: 'one', unit: 's', values: [1, 2] };
  assert.throws(() => summarize([{ ...one, against: 'two' }]), /one: expected a series two/);
  assert.throws(
    () =>
      summarize([
        { ...one, against: 'two' },
        { name: 'two', unit: 's', values: [1] },
      ]),
    /one has 2 runs, two 1/,
  );
  assert.throws(() => summarize([{ ...one, values: [] }]), /one: expected measured values, found none/);
  assert.throws(() => summarize([{ ...one, values: [Number.NaN] }]), /one: expected measured values, found NaN/);
  assert.throws(() => summarize([one, one]), /two series have one name/);
});

test('cases take turns, and every second run goes backwards', async () => {
  const order: string[] = [];
  const one = (name: string) => ({
    measures: [{ name, unit: 'n' }],
    run: () => [order.push(name)],
  });
  const series = await inTurns([one('a'), one('b')], 3);
  assert.is(order.join(''), 'abbaab');
  assert.equal(series, [
    { name: 'a', unit: 'n', values: [1, 4, 5] },
    { name: 'b', unit: 'n', values: [2, 3, 6] },
  ]);
});

test('a case that measures less than it says is an error', async () => {
  const short = {
    measures: [
      { name: 'a', unit: 's' },
      { name: 'b', unit: 'B' },
    ],
    run: () => [1],
  };
  await inTurns([short], 1).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /a: 2 values expected, 1 found/),
  );
});

test('the median of an even number of values lies between the two in the middle', () => {
  assert.equal([median([3]), median([9, 1, 5]), median([1, 2, 4, 100])], [3, 5, 3]);
});

test('result lines are found among other output', () => {
  const output =
    'TAP version 13\nresult: fault/base ns 310.5 305 3e2\r\n  result: view ns 1 2 3 against fault/base\nok 1\n';
  assert.equal(parseResultLines(output), [
    { name: 'fault/base', unit: 'ns', values: [310.5, 305, 300] },
    { name: 'view', unit: 'ns', values: [1, 2, 3], against: 'fault/base' },
  ]);
});

test('a result line that is not understood is an error that quotes it', () => {
  for (const line of ['a', 'a ns', 'a ns x', 'a ns 1 against', 'a ns 1 against b c', 'a ns against b', 'a"b ns 1'])
    assert.throws(() => parseResultLines(`result: ${line}`), new RegExp(`found "result: ${line}"`));
});

test('a report has the machine and the fields of each result, and survives JSON', () => {
  const results = summarize([{ name: 'a', unit: 's', values: [1] }]);
  const report = JSON.parse(JSON.stringify({ schema: 1, machine: describeMachine('tcg'), results, notes: [] }));
  assert.equal(Object.keys(report.machine), ['cpu', 'cores', 'memoryMb', 'system', 'node', 'guest', 'advice']);
  assert.equal(report.results, results);
  assert.match(report.machine.advice, /TCG/);
});

test('the table has a line for each result, with its ratio and what it is to', () => {
  const results = summarize([
    { name: 'mine', unit: 's', values: [1, 2], against: 'theirs' },
    { name: 'theirs', unit: 's', values: [100, 100] },
  ]);
  const table = tableOf('planner', results, ['a note']);
  assert.match(table, /mine .*1\.50.*1\.00 – 2\.00.* s .*2.*0\.0150 ×.*0\.0100 – 0\.0200.*theirs/);
  assert.match(table, /a note$/);
  assert.equal([0, 1234.5, 0.01234, 99.96].map(figure), ['0', '1235', '0.0123', '100']);
});

test('a command is measured in a process of its own, with its memory', async () => {
  const { status, stdout, maxRssBytes, seconds } = await runNode('planner/planner.js', ['--help']);
  assert.is(status, 0);
  assert.match(stdout, /planner/);
  assert.ok(maxRssBytes > 10e6 && maxRssBytes < 2e9, `${maxRssBytes}`);
  assert.ok(seconds > 0);
});

test('a command with a status that was not expected is an error with what it said', async () => {
  await runNode('planner/planner.js', ['diff', '/dev/null', '/dev/null', '-o', '/dev/null']).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /status 2: planner: /),
  );
});

test.run();
