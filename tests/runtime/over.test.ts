// SPDX-License-Identifier: MIT
/** Patches over each other in a live process, on this machine's own kernel: with --mode stop. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { linkAddress, type Patch, writePatch } from '../../planner/index.js';
import { apply, type JobOptions, revert, status } from '../../runtime/index.js';
import { buildIdOf, refused, symbolOf, Workshop } from './live.js';

const workshop = new Workshop();
test.after(() => workshop.clear());

/** Prints what both functions give for each line that it is sent. */
const SOURCE = `
#include <stdio.h>
__attribute__((noipa)) int first(int x) { for (int i = 0; i < x; i++) x = x * 3 + 1; return x; }
__attribute__((noipa)) int second(int x) { for (int i = 0; i < x; i++) x = x * 5 + 1; return x; }
int main(void) {
  char line[64];
  do { printf("%d %d\\n", first(1), second(2)); fflush(stdout); } while (fgets(line, sizeof(line), stdin));
  return 0;
}
`;
const program = workshop.compile('two', SOURCE, '-pie', '-fPIE');

/** A patch in which each of these functions returns a number: mov $N,%eax; ret. */
function patch(name: string, returns: Readonly<Record<string, number>>): Uint8Array {
  const entries = Object.entries(returns);
  const whole: Patch = {
    schema: 1,
    name,
    tool: 'tests',
    target: { name: 'two', buildId: buildIdOf(program), kind: 'pie' },
    sections: entries.map(([of, number]) => {
      const bytes = Buffer.from('b800000000c3', 'hex');
      bytes.writeInt32LE(number, 1);
      return { name: `.text.${of}`, kind: 'code', align: 16, size: bytes.length, bytes };
    }),
    symbols: [],
    relocations: [],
    functions: entries.map(([of], section) => {
      const address = symbolOf(program, of);
      // in a PIE that gcc links, .text is mapped at its file offset
      const bytes = readFileSync(program).subarray(address, address + 5);
      const old = { address: linkAddress(address), size: 16, room: 16, detourOffset: 0, bytes };
      return { name: of, old, new: { section, offset: 0, size: 6 }, oldParts: [] };
    }),
    unwind: [],
    original: [],
    notes: [],
  };
  return writePatch(whole);
}

const lower = patch('lower', { first: 10 });
const upper = patch('upper', { first: 20, second: 21 });
const beside = patch('beside', { second: 31 });

async function start() {
  const { pid, child, line } = await workshop.run(program);
  const ask = () =>
    new Promise<string>((resolve) => {
      child.stdout!.once('data', (chunk) => resolve(String(chunk).trim()));
      child.stdin!.write('\n');
    });
  const options: JobOptions = { pid, mode: 'stop', timeout: 10 };
  return {
    plain: line,
    ask,
    apply: (file: Uint8Array) => apply(file, options),
    revert: (name: string) => revert(name, options),
    carried: () =>
      status({ pid }).processes[0]!.patches.map(({ name, state, under }) => [name, state, ...under].join(' ')),
  };
}

test('a patch over another one takes its place, and gives it back', async () => {
  const { plain, ask, apply, revert, carried } = await start();
  await apply(lower);
  assert.is(await ask(), `10 ${plain.split(' ')[1]}`);
  await apply(upper);
  assert.is(await ask(), '20 21');
  assert.equal(carried().sort(), ['lower applied upper', 'upper applied']);
  assert.is((await apply(lower)).already, true);

  const error = await refused('COVERED', () => revert('lower'));
  assert.match(error.message, /lower cannot be reverted in process \d+: upper lies over it; revert upper first/);
  assert.is(await ask(), '20 21');
  await revert('upper');
  assert.is(await ask(), `10 ${plain.split(' ')[1]}`);
  await revert('lower');
  assert.is(await ask(), plain);
});

test('an arena that is used again lies over what is there now, and not over what was there then', async () => {
  const { plain, ask, apply, revert, carried } = await start();
  await apply(lower);
  await apply(upper);
  await revert('upper');
  await revert('lower');
  await apply(upper);
  assert.equal(carried().sort(), ['lower inactive', 'upper applied']);
  await revert('upper');
  assert.is(await ask(), plain);
  assert.equal(carried().sort(), ['lower inactive', 'upper inactive']);
});

test('a patch over half of another one is refused, and nothing has changed', async () => {
  const { ask, apply, revert } = await start();
  await apply(upper);
  const error = await refused('NOT_CUMULATIVE', () => apply(beside));
  assert.match(error.message, /beside replaces second, which upper patches together with first;/);
  assert.is(await ask(), '20 21');
  await revert('upper');
  await apply(beside);
  assert.match(await ask(), / 31$/);
});

test('patches beside each other are reverted in any order', async () => {
  const { plain, ask, apply, revert } = await start();
  await apply(lower);
  await apply(beside);
  assert.is(await ask(), '10 31');
  await revert('lower');
  assert.is(await ask(), `${plain.split(' ')[0]} 31`);
  await revert('beside');
  assert.is(await ask(), plain);
});

test.run();
