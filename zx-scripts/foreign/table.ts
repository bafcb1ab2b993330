// SPDX-License-Identifier: MIT
// A comparison for a person: what differs in full, what is the same on one line each. Makes a string; prints nothing.

import pc from 'picocolors';
import { textTable } from '../tables.js';
import type { BochsRun } from './bochs.js';
import type { Compared } from './both-ways.js';
import type { Verdict } from './compare.js';

const colours: Readonly<Record<Verdict, (text: string) => string>> = {
  same: pc.green,
  unsteady: pc.yellow,
  differs: pc.red,
};

export function foreignTable(title: string, { rows, complaints }: Compared): string {
  const table = textTable(
    ['', 'without views', 'every process in a view', ''],
    rows.map(({ name, off, on, verdict }) => [
      name,
      off,
      verdict === 'same' ? 'the same' : on,
      colours[verdict](verdict),
    ]),
    { colWidths: [32, 44, 44, 10], wordWrap: true },
  );
  const count = (verdict: Verdict) => rows.filter((row) => row.verdict === verdict).length;
  const sum = `${count('same')} the same, ${count('unsteady')} unsteady by themselves, ${count('differs')} differ`;
  const kernel = complaints.length ? pc.red('the kernel complained:') : 'nothing in the kernel’s log';
  const tails = rows.flatMap(({ name, tail }) => (tail ? [pc.bold(`${name}, in a view:`), tail] : []));
  return [pc.bold(title), table, `${sum}; ${kernel}`, ...complaints, ...tails].join('\n');
}

export function bochsTable(runs: readonly BochsRun[]): string {
  return runs
    .map(({ pti, passed, problems }) => {
      const counts = Object.entries(passed).map(([name, count]) => `${name} ${count}`);
      const good = problems.length === 0 ? pc.green('good') : pc.red(problems.join('\n'));
      return `bochs, a processor with PCID, page-table isolation ${pti ? 'on' : 'off'}: ${counts.join(', ')} passed; ${good}`;
    })
    .join('\n');
}
