#!/usr/bin/env node
// SPDX-License-Identifier: MIT
/**
 * The `driftpatch` command: reads argv and files, prints, sets the exit status. Everything else is the library's.
 *
 * Exit status: 0 done; 1 a fault of our own (an uncaught error); 2 wrong usage or unusable input; 4 refused or could not
 * be done, the process runs on as before; 5 the transition is under way but not complete at the time-out.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { reporter } from './cli-progress.js';
import { addSymbols } from './cli-symbols.js';
import {
  apply,
  type Consistency,
  DEFAULT_TIMEOUT,
  MODES,
  type Mode,
  NO_TIMING,
  patchName,
  RuntimeError,
  status,
} from './index.js';
import { resultLines, statusLines, threadLine } from './wording.js';

const USAGE = 2;
const PENDING = 5;

interface ApplyFlags {
  pid?: number;
  timeout: number;
  consistency: Consistency;
  json?: boolean;
  verbose?: boolean;
  exe?: string;
  all?: boolean;
  mode: Mode;
}

class UsageError extends Error {}

function program(): Command {
  const top = new Command('driftpatch')
    .description('Patch live multi-threaded processes without stopping any of their threads.')
    .exitOverride()
    .showHelpAfterError('(driftpatch --help shows the usage)');
  top
    .command('apply')
    .description('apply a patch file to a running process')
    .argument('<file.drift>', 'the patch file, as planner diff writes it')
    .option('--pid <n>', 'the process', toPid)
    .option('--timeout <seconds>', 'how long to wait for the threads', toSeconds, DEFAULT_TIMEOUT)
    .addOption(
      new Option(
        '--consistency <kind>',
        'strict: no patched function on the stack; entry: only the changed bytes count',
      )
        .choices(['strict', 'entry'])
        .default('strict'),
    )
    .option('--json', 'one JSON object on stdout')
    .option('-v, --verbose', 'a line for each step and each thread, also on a terminal')
    .addOption(new Option('--exe <path>').hideHelp())
    .addOption(new Option('--all').hideHelp())
    .addOption(
      new Option('--mode <mode>', 'wait-free: no thread stops; stop: all threads stop, on any kernel')
        .choices(MODES)
        .default('wait-free'),
    )
    .exitOverride()
    .action(runApply);
  top
    .command('status')
    .description('which processes carry which patches; of a transition, who is still to go')
    .option('--pid <n>', 'only this process', toPid)
    .option('--json', 'one JSON object on stdout')
    .exitOverride()
    .action(runStatus);
  addSymbols(top, toPid);
  for (const name of ['revert', 'doctor'])
    top
      .command(name, { hidden: true })
      .argument('[arguments...]')
      .allowUnknownOption()
      .action(() => notYet(name));
  return top;
}

async function runApply(file: string, flags: ApplyFlags): Promise<void> {
  if (flags.exe !== undefined) notYet('--exe');
  if (flags.all) notYet('--all');
  if (flags.pid === undefined) throw new UsageError('which process? give --pid N');
  const { pid, timeout, consistency, mode } = flags;
  const report = reporter(process.stderr, flags.verbose === true);
  let patch: string | null = null;
  try {
    const bytes = readPatchFile(file);
    patch = patchName(bytes);
    const result = await apply(bytes, { pid, timeout, consistency, mode, onEvent: report.event });
    report.end();
    if (flags.json) printJson({ ...result, refusals: [] });
    else for (const line of resultLines(result)) process.stdout.write(`${line}\n`);
    if (result.state === 'applied') return;
    if (flags.json) for (const thread of result.pending) process.stderr.write(`${threadLine(thread)}\n`);
    process.exitCode = PENDING;
  } catch (error) {
    report.end();
    if (flags.json && error instanceof RuntimeError) printJson(refusal(pid, patch, error));
    throw error;
  }
}

function refusal(pid: number, patch: string | null, { code, message }: RuntimeError): object {
  const threads = { total: 0, migrated: 0 };
  return { pid, patch, state: 'refused', threads, timing: NO_TIMING, refusals: [{ code, message }] };
}

function runStatus(flags: { pid?: number; json?: boolean }): void {
  const found = status(flags.pid === undefined ? {} : { pid: flags.pid });
  if (flags.json) printJson(found);
  else for (const line of statusLines(found, flags.pid)) process.stdout.write(`${line}\n`);
}

function readPatchFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new RuntimeError('PATCH_UNREADABLE', { file, why }, { cause: error });
  }
}

function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify({ schema: 1, ...value })}\n`);
}

function notYet(what: string): never {
  throw new UsageError(`${what} is not there yet`);
}

function toPid(text: string): number {
  const pid = Number(text);
  if (/^[1-9]\d*$/.test(text) && pid < 2 ** 31) return pid;
  throw new InvalidArgumentError('a process id is a positive whole number.');
}

function toSeconds(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new InvalidArgumentError('seconds are a number, 0 or more.');
}

try {
  await program().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed the message. Help that was asked for is no mistake.
    process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  } else if (error instanceof UsageError || error instanceof RuntimeError) {
    process.stderr.write(`driftpatch: ${error.message}\n`);
    process.exitCode = error instanceof RuntimeError ? error.status : USAGE;
  } else throw error;
}
