// SPDX-License-Identifier: MIT
// `npm test`: the unit suites on this machine, the runner's own, then the guest suites on the plain and on the debug kernel. The last line is
// `N passed, N failed`, with `, N skipped` if there were any.

import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import type { Flavour } from '../vm/index.js';
import { buildGuestPrograms, runGuestSuites } from './guest-tests.js';
import { projectFolder, setUp } from './setup.js';
import { showProgress } from './show-progress.js';
import { guestSuites, runnerSuites, unitSuites } from './suite-lists.js';
import { describeResult, runSuites, type SuiteResult } from './suites.js';
import { ensurePackages, forTests } from './system-packages.js';
import { cancelOnSignals, reportAndExit } from './vm-status.js';

interface Options {
  readonly unit: boolean;
  readonly kernel?: Flavour;
  readonly bzimage?: string;
}

const program = new Command('npm test --')
  .description('Run the suites whose path contains PATTERN; all of them without one.')
  .argument('[pattern]', 'such as planner/ or guest/kselftests', '')
  .option('--unit', 'unit suites alone: no guest', false)
  .addOption(new Option('--kernel <flavour>', 'guest suites on this kernel alone').choices(['plain', 'debug']))
  .addOption(new Option('--bzimage <file>', 'boot this kernel instead of building one'))
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(pattern: string, options: Options): Promise<number> {
  const units = await unitSuites(projectFolder, pattern);
  const guests = options.unit ? new Map<Flavour, string[]>() : await guestSuites(projectFolder, pattern);
  const runners = options.unit ? [] : await runnerSuites(projectFolder, pattern);
  const flavours = [...guests.keys()].filter((flavour) => !options.kernel || flavour === options.kernel);
  if (units.length + runners.length + flavours.length === 0) {
    process.stderr.write(`test: expected a suite whose path contains "${pattern}", found none\n`);
    return 2;
  }
  const results: SuiteResult[] = [];
  if (!options.unit) await ensurePackages(forTests, say);
  if (units.length > 0) {
    say(pc.bold('Unit suites'));
    results.push(
      ...(await runSuites(units, (result) => say(describeResult(result)), {
        width: availableParallelism(),
        env: { DRIFTPATCH_MATRIX: 'full' },
      })),
    );
  }
  if (runners.length + flavours.length > 0) results.push(...(await withGuests(flavours, guests, runners, options)));
  return summarize(results);
}

async function withGuests(
  flavours: readonly Flavour[],
  suites: ReadonlyMap<Flavour, string[]>,
  runners: readonly string[],
  options: Options,
) {
  const results: SuiteResult[] = [];
  const shown = showProgress();
  const { kernels, root } = await setUp(
    options.bzimage ? [] : runners.length ? ['plain', ...flavours] : flavours,
    shown,
  );
  const bzImageOf = (flavour: Flavour) => options.bzimage ?? kernels.get(flavour)!.bzImage;
  if (runners.length > 0) {
    say(pc.bold('The runner'));
    const env = { DRIFTPATCH_BZIMAGE: bzImageOf('plain'), DRIFTPATCH_IMAGE: root.kind === 'image' ? root.file : '' };
    results.push(...(await runSuites(runners, (result) => say(describeResult(result)), { env })));
  }
  if (flavours.length > 0) await buildGuestPrograms([...suites.values()].flat(), shown);
  const signal = cancelOnSignals();
  for (const flavour of flavours) {
    say(pc.bold(`Guest suites, ${flavour} kernel`));
    const ran = await runGuestSuites({
      flavour,
      kernel: bzImageOf(flavour),
      root,
      suites: suites.get(flavour)!,
      signal,
      onText: (text) => void process.stdout.write(text),
    });
    say(describeResult(ran.at(-1)!));
    results.push(...ran);
  }
  return results;
}

function summarize(results: readonly SuiteResult[]): number {
  const sum = (count: (result: SuiteResult) => number) => results.reduce((total, result) => total + count(result), 0);
  const [passed, failed, skipped] = [sum((r) => r.passed), sum((r) => r.failed), sum((r) => r.skipped)];
  for (const { file, failed } of results) if (failed) say(pc.red(`failed: ${file}`));
  say(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

program.parse();
await reportAndExit('test', () => main(program.args[0] ?? '', program.opts<Options>()));
