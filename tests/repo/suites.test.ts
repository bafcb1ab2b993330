// SPDX-License-Identifier: MIT
// The runner of suites really fails where uvu alone is silent. Every fixture here is a suite with one fault.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { guestSuites } from '../../zx-scripts/suite-lists.js';
import { runSuite, runSuites } from '../../zx-scripts/suites.js';
import { checkout } from './checkout.js';

// Inside dist/, so that `uvu` is found.
const folder = mkdtempSync(join(checkout, 'dist', 'suites-'));
test.after(() => rmSync(folder, { recursive: true }));

const head = `import { suite, test } from 'uvu';\nimport * as assert from 'uvu/assert';\n`;
let count = 0;

function run(body: string, seconds = 20) {
  const file = join(folder, `fixture-${count++}.js`);
  writeFileSync(file, `// timeout: ${seconds}\n${head}${body}`);
  return runSuite(file);
}

test('a good suite passes, with its numbers', async () => {
  const result = await run(`test('a', () => {}); test('b', () => {}); test.skip('c', () => {}); test.run();`);
  assert.equal([result.passed, result.failed, result.skipped, result.problem], [2, 0, 1, null]);
});

test('a test that fails is counted', async () => {
  const result = await run(`test('a', () => {}); test('b', () => assert.is(1, 2)); test.run();`);
  assert.equal([result.passed, result.failed, result.problem], [1, 1, null]);
  assert.match(result.output, 'FAIL');
});

const faults: [name: string, body: string, problem: RegExp | null][] = [
  ['a suite without run()', `test('a', () => {});`, /expected test\.run\(\)/],
  [
    'one of two suites without run()',
    `const s = ${'suite'}('s'); s('b', () => {}); test('a', () => {}); test.run();`,
    /s\.run\(\)/,
  ],
  ['a suite that tests nothing', `test.run();`, /at least one test/],
  ['a before that throws', `test.before(() => { throw new Error('x'); }); test('a', () => {}); test.run();`, null],
  ['a test singled out', `test('a', () => {}); test.${'only'}('b', () => {}); test.run();`, /singled out/],
  ['a throw at the top', `test('a', () => {}); test.run(); throw new Error('x');`, /summary|status 1/],
  ['an early exit with status 0', `test('a', () => process.exit(0)); test.run();`, /summary/],
  [
    'a status set although all passed',
    `test('a', () => {}); test.run(); process.on('exit', () => { process.exitCode = 3; });`,
    /status 0, found 3/,
  ],
  ['a file that is no suite', `console.log('fine');`, /expected test\.run/],
];
for (const [name, body, problem] of faults)
  test(`${name} is a failure`, async () => {
    const result = await run(body);
    assert.ok(result.failed > 0, `expected a failure, found ${JSON.stringify(result)}`);
    if (problem) assert.match(result.problem ?? '', problem);
  });

test('a test that hangs is a failure when its time is over', async () => {
  const began = Date.now();
  const result = await run(`test('a', () => new Promise(() => setInterval(() => {}, 1000))); test.run();`, 2);
  assert.is(result.failed, 1);
  assert.match(result.problem ?? '', /still running/);
  assert.ok(Date.now() - began < 10_000);
});

test('a process that a suite leaves behind does not hold the runner up', async () => {
  const result = await run(`
    import { spawn } from 'node:child_process';
    test('a', () => { spawn('sleep', ['60'], { stdio: 'inherit' }).unref(); });
    test.run();`);
  assert.equal([result.passed, result.failed], [1, 0]);
  assert.ok(result.seconds < 15);
});

test('a list without suites is an error', async () => {
  await runSuites([], () => {}).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, 'at least one suite'),
  );
});

test('with more patience a suite may take longer', async () => {
  const file = join(folder, 'slow.js');
  const body = `test('a', () => new Promise((resolve) => setTimeout(resolve, 2500))); test.run();`;
  writeFileSync(file, `// timeout: 1\n${head}${body}`);
  assert.match((await runSuite(file)).problem ?? '', /within 1 s/);
  assert.is((await runSuite(file, { patience: 20 })).problem, null);
});

test('what is slow on the debug kernel runs there only when all is asked for', async () => {
  const debug = async (long: boolean) =>
    (await guestSuites(checkout, '', long)).get('debug')!.map((file) => basename(file, '.test.js'));
  const [usual, long] = [await debug(false), await debug(true)];
  assert.ok(usual.includes('kselftests') && !usual.includes('faults'), usual.join());
  assert.ok(long.includes('kselftests') && long.includes('faults'), long.join());
});

test.run();
