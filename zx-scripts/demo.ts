// SPDX-License-Identifier: MIT
// `npm run demo`: the main job, from nothing. A memcached that runs in the guest, under load, gets a security fix; a person
// watches. Exits with 0 only if everything was shown: see demo/verdict.ts.
//
//   set-up ─ memcached before and after the fix ─ planner diff ─ boot ─ demo/guest.js in the guest ─ figures ─ a page

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { readPatch } from '../planner/index.js';
import { type GuestResult, type GuestRoot, runInGuest } from '../vm/index.js';
import { describeMachine } from './bench/machine.js';
import type { GuestEvent } from './demo/guest-events.js';
import { type LiveView, liveView } from './demo/live.js';
import { fix, names } from './demo/names.js';
import { type Prepared, planFix, prepareFix } from './demo/prepare.js';
import { demoPage } from './demo/report.js';
import { closingLines, command, heading, linesOf, tableLines } from './demo/show.js';
import { svgOf } from './demo/svg.js';
import type { Outcome, Trace } from './demo/trial.js';
import { problemsOf } from './demo/verdict.js';
import { jsonLines } from './json-lines.js';
import { memcachedProgram } from './servers/memcached.js';
import { projectFolder, setUp } from './setup.js';
import { showProgress } from './show-progress.js';
import { ensurePackages, forGuest, forImage, forKernel, forSources } from './system-packages.js';
import { cancelOnSignals, complain, failedVm, reportAndExit } from './vm-status.js';

interface Options {
  readonly json?: true;
  readonly quick?: true;
  readonly record?: string;
  readonly bzimage?: string;
}

const program = new Command('npm run demo --')
  .description('Patch a running memcached in the guest, under load, and show what happens to it.')
  .addOption(new Option('--json', 'one JSON object on stdout').env('npm_config_json'))
  .addOption(new Option('--quick', 'measure for 2 s before and after, not 6').env('npm_config_quick'))
  .option('--record <file>', 'also write what is shown to FILE, as an SVG picture')
  .addOption(new Option('--bzimage <file>', 'boot this kernel instead of building one'))
  .addHelpText('after', `\nExit status: 0 all was shown; 1 it was not; ${failedVm} the guest was lost; 2 wrong usage.`)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

/** Measured before and after; and how long at most it is waited for a steady load. */
interface Seconds {
  readonly window: number;
  readonly warm: number;
}
const usual: Seconds = { window: 6, warm: 20 };
const quick: Seconds = { window: 2, warm: 4 };

async function main(options: Options): Promise<number> {
  const shown: string[] = [];
  const live = options.json ? null : liveView();
  const say = (line: string) => {
    shown.push(line);
    live?.say(pc.isColorSupported ? line : stripVTControlCharacters(line));
  };
  const signal = cancelOnSignals();
  const progress = showProgress();
  await ensurePackages(
    [...forKernel, ...forGuest, ...forImage, ...forSources, ...memcachedProgram.packages],
    progress.say,
  );
  const { kernels, root } = await setUp(options.bzimage ? [] : ['plain'], progress);
  const prepared = await prepareFix(projectFolder, { progress: progress.onStep, say: progress.say });
  progress.end();

  const functions = plan(prepared, say, options.json === true);
  if (!functions) return 1;
  const bzImage = options.bzimage ?? kernels.get('plain')!.bzImage;
  const seconds = options.quick ? quick : usual;
  const { outcome, trace, guest, failure, result } = await inGuest(bzImage, root, seconds, signal, say, live);
  const problems = [...(outcome ? problemsOf(outcome) : [failure]), ...guestProblems(result)];
  if (outcome) for (const line of tableLines(outcome)) say(line);
  if (outcome) for (const line of closingLines(outcome, problems, result.accelerator)) say(line);
  if (!outcome || options.json) for (const problem of problems) complain(`demo: not shown: ${problem}`);
  if (options.json) {
    const { version, fixName: name } = prepared;
    const facts = { memcached: version, fix: { number: fix, name }, functions, guest, accelerator: result.accelerator };
    const report = { schema: 1, shown: problems.length === 0, problems, ...facts, ...outcome };
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  }
  if (outcome && trace) {
    const [page, figures] = [join(prepared.folder, names.page), join(prepared.folder, names.figures)];
    const machine = describeMachine(result.accelerator);
    const report = { ...prepared, outcome, trace, problems, machine, file: names.figures };
    writeFileSync(figures, `${JSON.stringify({ schema: 1, machine, problems, outcome, trace })}\n`);
    writeFileSync(page, demoPage(report));
    if (!options.json) process.stdout.write(`  The report: ${relative(process.cwd(), page)}\n`);
  }
  if (options.record && problems.length === 0) {
    mkdirSync(dirname(options.record), { recursive: true });
    const title = 'npm run demo: a running memcached is patched';
    writeFileSync(options.record, svgOf([command('npm run demo'), ...shown], title));
  }
  return problems.length === 0 ? 0 : 1;
}

/** Runs the planner as a person would, and gives the names of the functions that its patch replaces. */
function plan({ folder, version, fixName }: Prepared, say: (line: string) => void, json: boolean): string[] | null {
  say(heading(`The fix: ${fixName}, from Debian's memcached ${version}`));
  const planned = planFix(projectFolder);
  say(command(planned.command));
  for (const line of planned.output.split('\n')) say(`  ${line}`);
  if (planned.status === 0) return readPatch(readFileSync(join(folder, names.patch))).functions.map(({ name }) => name);
  complain(`demo: expected a patch, found status ${planned.status} of: ${planned.command}`);
  if (json) complain(stripVTControlCharacters(planned.output));
  return null;
}

async function inGuest(
  kernel: string,
  root: GuestRoot,
  seconds: Seconds,
  signal: AbortSignal,
  say: (line: string) => void,
  live: LiveView | null,
) {
  let outcome: Outcome | null = null;
  let trace: Trace | null = null;
  let guest: { kernel: string; processors: number } | null = null;
  let failure = 'expected an outcome, found none';
  let errors = '';
  const onEvent = (event: GuestEvent) => {
    if (event.kind === 'guest') guest = { kernel: event.kernel, processors: event.processors };
    if (event.kind === 'outcome') outcome = event.outcome;
    if (event.kind === 'trace') trace = event.trace;
    live?.onEvent(event);
    if (event.kind === 'failed') failure = event.message;
    for (const line of linesOf(event)) say(line);
  };
  const words = [
    'node',
    '/project/dist/zx-scripts/demo/guest.js',
    '/project',
    String(seconds.window),
    String(seconds.warm),
  ];
  const result = await runInGuest(words, {
    kernel,
    root,
    project: projectFolder,
    cpus: 2,
    timeoutSeconds: 300,
    signal,
    onStdout: jsonLines(onEvent),
    onStderr: (bytes) => {
      errors += bytes.toString();
    },
  });
  live?.end();
  if (errors) complain(`demo: the guest said: ${errors.trimEnd()}`);
  return { outcome: outcome as Outcome | null, trace: trace as Trace | null, guest, failure, result };
}

/** What is wrong with the guest itself. */
function guestProblems({ status, complaints, leakedViews }: GuestResult): string[] {
  return [
    ...(status === 0 ? [] : [`expected the guest's part to end with status 0, found ${status}`]),
    ...complaints.map((line) => `expected nothing from the guest's kernel, found: ${line}`),
    ...(leakedViews === 0 ? [] : [`expected no view left at the end, found ${leakedViews}`]),
  ];
}

program.parse();
await reportAndExit('demo', () => main(program.opts<Options>()));
