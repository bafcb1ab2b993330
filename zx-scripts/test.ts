// SPDX-License-Identifier: MIT
// `npm test`: the unit suites on this machine, those that boot guests themselves, then the guest suites, on the plain and on the debug
// kernel. The last line is `N passed, N failed`, with `, N skipped` if there were any.

import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import type { Flavour } from '../vm/index.js';
import { buildGuestPrograms, runGuestSuites } from './guest-tests.js';
import { ensureSeries, projectFolder, setUp } from './setup.js';
import { showProgress } from './show-progress.js';
import { type Guests, guestSuites, runnerSuites, unitSuites } from './suite-lists.js';
import { describeResult, runSuites, type SuiteResult } from './suites.js';
import { ensurePackages, forTests } from './system-packages.js';
import { cancelOnSignals, reportAndExit } from './vm-status.js';

interface Options {
  readonly unit: boolean;
  readonly long: boolean;
  readonly kernel?: Flavour;
  readonly bzimage?: string;
}

const program = new Command('npm test --')
  .description('Run the suites whose path contains PATTERN; all of them without one.')
  .argument('[pattern]', 'such as planner/ or guest/kselftests', '')
  .option('--unit', 'unit suites alone: no guest', false)
  .option(
    '--long',
    'also what takes hours: all ways to compile, all steps of each walk, all suites on the debug kernel',
    false,
  )
  .addOption(new Option('--kernel <flavour>', 'no guest but of this kernel').choices(['plain', 'debug']))
  .addOption(new Option('--bzimage <file>', 'boot this kernel instead of building one'))
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(pattern: string, options: Options): Promise<number> {
  // Who names a kernel wants what there is for it.
  const long = options.long || options.kernel !== undefined;
  const none: Guests = new Map();
  const units = await unitSuites(projectFolder, pattern);
  const runners = options.unit ? none : await runnerSuites(projectFolder, pattern, long);
  const guests = options.unit ? none : await guestSuites(projectFolder, pattern, long);
  const flavours = (['plain', 'debug'] as const).filter(
    (flavour) => (runners.has(flavour) || guests.has(flavour)) && (options.kernel ?? flavour) === flavour,
  );
  if (units.length + flavours.length === 0) {
    process.stderr.write(`test: expected a suite whose path contains "${pattern}", found none\n`);
    return 2;
  }
  const results: SuiteResult[] = [];
  if (!options.unit) await ensurePackages(forTests, say);
  if (units.length > 0) {
    // Suites about the kernel files ask scripts of the kernel's source.
    const shown = showProgress();
    await ensureSeries(shown);
    shown.end();
    say(pc.bold('Unit suites'));
    results.push(...(await runSuites(units, show, { width: availableParallelism(), ...extentOf(options) })));
  }
  if (flavours.length > 0) results.push(...(await withGuests(flavours, runners, guests, options)));
  return summarize(results);
}

/** What suites ask to know how much they have to try; the time they may take for it. */
const extentOf = ({ long }: Options) => ({
  env: { DRIFTPATCH_TESTS: long ? 'long' : 'usual' },
  patience: long ? 12 : 1,
});

const show = (result: SuiteResult) => say(describeResult(result));

async function withGuests(flavours: readonly Flavour[], runners: Guests, guests: Guests, options: Options) {
  const results: SuiteResult[] = [];
  const shown = showProgress();
  const { kernels, root } = await setUp(options.bzimage ? [] : flavours, shown);
  const bzImageOf = (flavour: Flavour) => options.bzimage ?? kernels.get(flavour)!.bzImage;
  const suitesOf = (lists: Guests, flavour: Flavour) => lists.get(flavour) ?? [];
  await buildGuestPrograms(
    flavours.flatMap((flavour) => suitesOf(guests, flavour)),
    shown,
  );
  for (const flavour of flavours) {
    const suites = suitesOf(runners, flavour);
    if (suites.length === 0) continue;
    say(pc.bold(`Suites that boot guests, ${flavour} kernel`));
    const image = root.kind === 'image' ? root.file : '';
    const { env, patience } = extentOf(options);
    const boots = { DRIFTPATCH_BZIMAGE: bzImageOf(flavour), DRIFTPATCH_IMAGE: image };
    results.push(...(await runSuites(suites, show, { env: { ...env, ...boots }, patience })));
  }
  const signal = cancelOnSignals();
  // One after the other. At the same time they take as long, for a guest's processor that waits for its turn keeps the other one waiting.
  for (const flavour of flavours) {
    const suites = suitesOf(guests, flavour);
    if (suites.length === 0) continue;
    say(pc.bold(`Guest suites, ${flavour} kernel`));
    const ran = await runGuestSuites({
      flavour,
      kernel: bzImageOf(flavour),
      root,
      suites,
      ...extentOf(options),
      signal,
      onText: (text) => void process.stdout.write(text),
    });
    show(ran.at(-1)!);
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
