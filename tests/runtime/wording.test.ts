// SPDX-License-Identifier: MIT
// What people read at the end of a command.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Why } from '../../runtime/sys/abi.js';
import { NO_TIMING } from '../../runtime/timing.js';
import { resultLines } from '../../runtime/wording.js';

function pending(why: Why) {
  const held = { tid: 8, name: 'worker', why, where: null, place: null, caller: null };
  const threads = { total: 2, migrated: 1 };
  return {
    pid: 7,
    patch: 'fix',
    already: false,
    state: 'pending',
    threads,
    pending: [held],
    timing: NO_TIMING,
  } as const;
}

const offersEntry = (lines: readonly string[]) => lines.some((line) => line.includes('--consistency entry'));

const wording = suite('wording');

wording('a thread that is in a changed function: there is another way', () => {
  for (const why of ['stack', 'pc'] as const) assert.is(offersEntry(resultLines(pending(why), 'strict')), true, why);
});

wording('none to offer where that is what was asked for, or something else holds the thread', () => {
  assert.is(offersEntry(resultLines(pending('stack'), 'entry')), false);
  for (const why of ['running', 'signal-stack', 'traced'] as const)
    assert.is(offersEntry(resultLines(pending(why), 'strict')), false, why);
});

wording.run();
