// SPDX-License-Identifier: MIT
// `npm run evaluate`: what wait-free is worth, on real servers and on programs made for it. An evaluation is a file in evaluate/ and a
// line in the table below. Whole runs leave docs/evaluation/NAME.json, and docs/evaluation.md is made anew from these.

import { join } from 'node:path';
import { Argument, Command, Option } from 'commander';
import { describeMachine } from './bench/machine.js';
import { summarize } from './bench/result.js';
import { machineLine } from './bench/table.js';
import { after } from './evaluate/after.js';
import { corpus } from './evaluate/corpus.js';
import type { Evaluated, Evaluation } from './evaluate/evaluation.js';
import { keepEvaluation } from './evaluate/keep.js';
import { servers } from './evaluate/servers.js';
import { synthetic } from './evaluate/synthetic.js';
import { projectFolder } from './setup.js';
import { showProgress } from './show-progress.js';
import { cancelOnSignals, complain, failedVm, reportAndExit } from './vm-status.js';

const evaluations: Readonly<Record<string, Evaluation>> = { corpus, synthetic, servers, after };

interface Options {
  readonly json?: true;
  readonly quick?: true;
  readonly only?: string;
  readonly keep?: true;
  readonly bzimage?: string;
}

const program = new Command('npm run evaluate --')
  .description('Show what patching does to those who are being served. Without a name, everything.')
  .addArgument(new Argument('[name]', 'what to evaluate').choices(Object.keys(evaluations)))
  .addOption(new Option('--json', 'one JSON object on stdout').env('npm_config_json'))
  .addOption(new Option('--quick', 'the least that shows that it works; writes no report').env('npm_config_quick'))
  .addOption(new Option('--only <words>', 'what has one of these words, parted by commas; writes no report'))
  .addOption(new Option('--keep', 'with --only: put what was found among what the report has'))
  .addOption(new Option('--bzimage <file>', 'boot this kernel instead of building one'))
  .addHelpText(
    'after',
    `\n${Object.entries(evaluations)
      .map(([name, { about }]) => `  ${name}: ${about}`)
      .join('\n')}`,
  )
  .addHelpText('after', `\nExit status: 0 all was shown; 1 it was not; ${failedVm} the guest was lost; 2 wrong usage.`)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

async function main(wanted: string | undefined, options: Options): Promise<number> {
  const signal = cancelOnSignals();
  const shown = showProgress();
  const found: Record<string, Evaluated> = {};
  for (const [name, { run }] of Object.entries(evaluations)) {
    if (wanted !== undefined && wanted !== name) continue;
    const only = options.only?.split(',').map((word) => word.trim()) ?? [];
    const evaluated = await run({
      quick: options.quick === true,
      only,
      shown,
      signal,
      ...(options.bzimage !== undefined && { bzImage: options.bzimage }),
    });
    shown.end();
    found[name] = evaluated;
    if (!options.json) process.stdout.write(`${evaluated.text}\n`);
    for (const problem of evaluated.problems) complain(`evaluate: not shown: ${problem}`);
    if (!options.quick && (only.length === 0 || options.keep))
      await keepEvaluation(join(projectFolder, 'docs'), name, evaluated, only.length > 0);
  }
  const all = Object.values(found);
  const machine = describeMachine(all.find(({ guest }) => guest)?.guest ?? null);
  if (!options.json) process.stdout.write(`${machineLine(machine)}\n`);
  else {
    const evaluations = Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, data]));
    const results = all.flatMap(({ series }) => summarize(series));
    const problems = all.flatMap((one) => one.problems);
    process.stdout.write(`${JSON.stringify({ schema: 1, machine, results, problems, evaluations }, null, 2)}\n`);
  }
  return all.some(({ problems }) => problems.length > 0) ? 1 : 0;
}

program.parse();
await reportAndExit('evaluate', () => main(program.args[0], program.opts<Options>()));
