// SPDX-License-Identifier: MIT
// A comparison for a person: what differs in full, what is the same on one line each. Makes a string; prints nothing.

import Table from 'cli-table3';
import pc from 'picocolors';
import type { BochsRun } from './bochs.js';
import type { Compared } from './both-ways.js';
import type { Verdict } from './compare.js';

const colours: Readonly<Record<Verdict, (text: string) => string>> = {
  same: pc.green,
  unsteady: pc.yellow,
  differs: pc.red,
};

export function foreignTable(title: string, { rows, complaints }: Compared): string {
  const table = new Table({
    head: ['', 'without views', 'every process in a view', ''],
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: pc.isColorSupported ? ['dim'] : [], border: pc.isColorSupported ? ['dim'] : [] },
    colWidths: [32, 44, 44, 10],
    wordWrap: true,
  });
  for (const { name, off, on, verdict } of rows)
    table.push([name, off, verdict === 'same' ? 'the same' : on, colours[verdict](verdict)]);
  const count = (verdict: Verdict) => rows.filter((row) => row.verdict === verdict).length;
  const sum = `${count('same')} the same, ${count('unsteady')} unsteady by themselves, ${count('differs')} differ`;
  const kernel = complaints.length ? pc.red('the kernel complained:') : 'nothing in the kernel’s log';
  const tails = rows.flatMap(({ name, tail }) => (tail ? [pc.bold(`${name}, in a view:`), tail] : []));
  return [pc.bold(title), table.toString(), `${sum}; ${kernel}`, ...complaints, ...tails].join('\n');
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
