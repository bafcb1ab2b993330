// SPDX-License-Identifier: MIT
// `npm run bench`: how fast, how big, and compared with what. Figures count as ratios within one run; see bench/result.ts. A benchmark
// is a file in bench/ and a line in the table below.

import { Argument, Command, Option } from 'commander';
import type { Bench, BenchReport, Measured } from './bench/bench.js';
import { kernel } from './bench/kernel.js';
import { describeMachine } from './bench/machine.js';
import { planner } from './bench/planner.js';
import { summarize } from './bench/result.js';
import { runtime } from './bench/runtime.js';
import { machineLine, tableOf } from './bench/table.js';
import { showProgress } from './show-progress.js';
import { cancelOnSignals, failedVm, reportAndExit } from './vm-status.js';

const benches: Readonly<Record<string, Bench>> = { kernel, planner, runtime };

interface Options {
  readonly json?: true;
  readonly quick?: true;
  readonly bzimage?: string;
}

const program = new Command('npm run bench --')
  .description('Measure. Without a name, everything.')
  .addArgument(new Argument('[name]', 'what to measure').choices(Object.keys(benches)))
  .addOption(new Option('--json', 'one JSON object on stdout').env('npm_config_json'))
  .addOption(new Option('--quick', 'fewer runs over less: to see that it works').env('npm_config_quick'))
  .addOption(new Option('--bzimage <file>', 'boot this kernel instead of building the plain one'))
  .addHelpText(
    'after',
    `\n${Object.entries(benches)
      .map(([name, { about }]) => `  ${name}: ${about}`)
      .join('\n')}`,
  )
  .addHelpText('after', `\nExit status: 0 measured; ${failedVm} the guest was lost; 2 wrong usage.`)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

async function main(name: string | undefined, { json, quick, bzimage }: Options): Promise<number> {
  const signal = cancelOnSignals();
  const shown = showProgress();
  const say = (text: string) => void (json || process.stdout.write(`${text}\n`));
  const found: Measured[] = [];
  for (const [title, { about, run }] of Object.entries(benches)) {
    if (name !== undefined && name !== title) continue;
    const measured = await run({
      quick: quick === true,
      shown,
      signal,
      ...(bzimage !== undefined && { bzImage: bzimage }),
    });
    shown.end();
    found.push(measured);
    say(tableOf(`${title}: ${about}`, summarize(measured.series), measured.notes ?? []));
  }
  const machine = describeMachine(found.find(({ guest }) => guest)?.guest ?? null);
  say(machineLine(machine));
  const results = found.flatMap(({ series }) => summarize(series));
  const report: BenchReport = { schema: 1, machine, results, notes: found.flatMap(({ notes }) => notes ?? []) };
  if (json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  return 0;
}

program.parse();
await reportAndExit('bench', () => main(program.args[0], program.opts<Options>()));
