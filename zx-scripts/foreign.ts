// SPDX-License-Identifier: MIT
// `npm run foreign`: tests that nobody here wrote, with every process of the guest in a view and without, on the debug kernel. The
// results must be the same and the kernel's log clean. A suite is a file in foreign/ and a line in the table below.

import { Argument, Command, Option } from 'commander';
import { type BochsRun, runBochs } from './foreign/bochs.js';
import { type Compared, runBothWays } from './foreign/both-ways.js';
import { mmSelftests } from './foreign/mm-selftests.js';
import { stressNg } from './foreign/stress-ng.js';
import type { ForeignSuite } from './foreign/suite.js';
import { bochsTable, foreignTable } from './foreign/table.js';
import { trinitySuite } from './foreign/trinity.js';
import { ensureKernel, ensureQemu } from './setup.js';
import { type ShownProgress, showProgress } from './show-progress.js';
import { cancelOnSignals, failedVm, reportAndExit } from './vm-status.js';

const suites: Readonly<Record<string, ForeignSuite>> = {
  mm: mmSelftests,
  'stress-ng': stressNg,
  trinity: trinitySuite,
};

interface Options {
  readonly json?: true;
  readonly quick?: true;
  readonly bzimage?: string;
  readonly append?: string;
  readonly only?: string;
}

const program = new Command('npm run foreign --')
  .description(
    'Run other people’s tests with every process in a view and without. Without a name, all of them but bochs.',
  )
  .addArgument(new Argument('[suite]', 'which').choices([...Object.keys(suites), 'bochs']))
  .addOption(new Option('--quick', 'the short ones among them').env('npm_config_quick'))
  .addOption(
    new Option('--only <words>', 'tests whose name contains one of these words, parted by commas').env(
      'npm_config_only',
    ),
  )
  .addOption(new Option('--json', 'one JSON object on stdout').env('npm_config_json'))
  .addOption(new Option('--bzimage <file>', 'a debug kernel, instead of building one').env('npm_config_bzimage'))
  .addOption(new Option('--append <words>', 'more words for the kernel’s command line').env('npm_config_append'))
  .addHelpText(
    'after',
    `\n${Object.entries(suites)
      .map(([name, { about }]) => `  ${name}: ${about}`)
      .join('\n')}`,
  )
  .addHelpText(
    'after',
    `\nExit status: 0 the same both ways; 1 a difference; ${failedVm} a kernel complained or a guest was lost; 2 wrong usage.`,
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

const print = (value: unknown) => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);

async function onBochs(options: Options, shown: ShownProgress, signal: AbortSignal): Promise<number> {
  const kernel = options.bzimage ?? (await ensureKernel('plain', shown)).bzImage;
  const runs: BochsRun[] = [];
  for (const pti of options.quick ? [true] : [true, false]) runs.push(await runBochs(kernel, pti, shown, signal));
  if (options.json) print({ schema: 1, bochs: runs });
  else process.stdout.write(`${bochsTable(runs)}\n`);
  return runs.some(({ problems }) => problems.length > 0) ? 1 : 0;
}

async function main(wanted: string | undefined, options: Options): Promise<number> {
  const signal = cancelOnSignals();
  const shown = showProgress();
  if (wanted === 'bochs') return onBochs(options, shown, signal);
  await ensureQemu(shown);
  const kernel = options.bzimage ?? (await ensureKernel('debug', shown)).bzImage;
  const words = options.only?.split(',').map((word) => word.trim()) ?? [''];
  const wants = (name: string) => words.some((word) => name.includes(word));
  const found: { suite: string; compared: Compared }[] = [];
  for (const [suite, { about, tests, prepare }] of Object.entries(suites)) {
    if (wanted !== undefined && wanted !== suite) continue;
    const chosen = tests.filter((test) => (!options.quick || test.quick) && wants(test.name));
    if (chosen.length === 0) continue;
    const programs = await prepare(shown);
    shown.end();
    const compared = await runBothWays(chosen, {
      kernel,
      programs,
      signal,
      onText: (text) => void process.stderr.write(text),
      ...(options.append !== undefined && { append: options.append }),
    });
    found.push({ suite, compared });
    if (!options.json) process.stdout.write(`${foreignTable(`${suite}: ${about}`, compared)}\n`);
  }
  if (found.length === 0) {
    process.stderr.write(`foreign: expected a test whose name contains "${options.only}", found none\n`);
    return 2;
  }
  if (options.json) {
    print({ schema: 1, suites: found.map(({ suite, compared }) => ({ suite, ...compared })) });
  }
  if (found.some(({ compared }) => compared.complaints.length > 0)) return failedVm;
  return found.some(({ compared }) => compared.rows.some(({ verdict }) => verdict === 'differs')) ? 1 : 0;
}

program.parse();
await reportAndExit('foreign', () => main(program.args[0], program.opts<Options>()));
