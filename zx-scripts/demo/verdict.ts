// SPDX-License-Identifier: MIT
// Did the demo show what it claims? Every claim is one row here: what was expected, and what was found instead.

import { workers } from '../servers/memcached.js';
import { type Outcome, windowNames } from './trial.js';

/** What is missing from a full success, one line each; none: it was shown. */
export function problemsOf(outcome: Outcome): string[] {
  const { apply, migrated, looks, probes, ordinary, overflow, totals, windows } = outcome;
  const problems: string[] = [];
  const expect = (holds: boolean, expected: string, found: unknown) => {
    if (!holds)
      problems.push(`expected ${expected}, found ${typeof found === 'string' ? found : JSON.stringify(found)}`);
  };
  const all = (answers: readonly string[], answer: string) =>
    answers.length === workers && answers.every((one) => one === answer);

  expect(apply.state === 'applied' && !apply.already, 'the patch to be applied', apply.state);
  expect(
    apply.threads.total > workers && apply.threads.migrated === apply.threads.total,
    'every thread to migrate',
    apply.threads,
  );
  const seen = new Set(migrated.map(({ tid }) => tid)).size;
  expect(seen === apply.threads.total, `to see ${apply.threads.total} threads migrate`, seen);
  expect(looks.looks > 0 && looks.stopped === 0 && looks.traced === 0, 'no thread stopped or traced', looks);
  expect(all(probes.before, 'values'), 'the old code to forward the odd multiget on every connection', probes.before);
  expect(all(probes.after, 'refused'), 'the new code to refuse the odd multiget on every connection', probes.after);
  expect(all(ordinary, 'values'), 'an ordinary multiget to be answered after the patch', ordinary);
  expect(overflow.unpatched.ending !== null, 'the overflow to end an unpatched server', overflow.unpatched);
  expect(
    overflow.patched.ending === null && overflow.patched.answer === 'refused',
    'the patched server to refuse the overflow and run on',
    overflow.patched,
  );
  expect(totals.failed === 0, 'no request to fail', `${totals.failed} (${totals.failures.join('; ')})`);
  expect(totals.dropped === 0, 'no connection to be dropped', totals.dropped);
  for (const name of windowNames) expect(windows[name].requests > 0, `requests in the window ${name}`, 'none');
  return problems;
}
