// SPDX-License-Identifier: MIT
// What the console of a run under bochs must show to be called good.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { judge } from '../../zx-scripts/foreign/bochs.js';

const program = (name: string, status = 0) =>
  `driftpatch: begin ${name}\nTAP version 13\n1..2\nok 1 first\nok 2 # SKIP second\ndriftpatch: ${name} status ${status}\n`;
const names = ['basic', 'text', 'fold', 'life', 'stress'];
const good = `boot\ndriftpatch: pcid 1 pti 1\n${names.map((name) => program(name)).join('')}driftpatch: done\n`;

test('a whole run is good, and counts what passed but not what was skipped', () => {
  const { problems, passed } = judge(good, true);
  assert.equal(problems, []);
  assert.is(passed.basic, 1);
});

test('a processor without PCID makes a run worthless', () => {
  assert.match(
    judge(good.replace('pcid 1', 'pcid 0'), true).problems.join(),
    /expected a processor with PCID, found none/,
  );
  assert.match(judge('', true).problems.join(), /found no word about it/);
});

test('isolation must be as asked for', () => {
  assert.equal(judge(good, false).problems, ['expected pti off, found the other']);
});

test('a program that fails or does not end is named', () => {
  assert.equal(judge(good.replace(program('fold'), program('fold', 1)), true).problems, ['fold: status 1']);
  const cut = good.slice(0, good.indexOf('driftpatch: stress status'));
  assert.equal(judge(cut, true).problems, ['stress: expected an end, found none']);
});

test('what the kernel complains about counts from the first program on', () => {
  const line = '[   12.345678] WARNING: CPU: 0 PID: 1 at mm/x.c:1\n';
  assert.equal(judge(line + good, true).problems, []);
  assert.is(judge(good + line, true).problems.length, 1);
});

test.run();
