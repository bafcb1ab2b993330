#!/usr/bin/env node
// SPDX-License-Identifier: MIT
/**
 * The `driftpatch` command: reads argv and files, prints, sets the exit status. Everything else is the library's.
 *
 * Exit status: 0 done; 1 a fault of our own (an uncaught error); 2 wrong usage or unusable input; 4 refused or could not
 * be done, the process runs on as before; 5 the transition is under way but not complete at the time-out.
 *
 * What a command does is loaded when it is given: help is there at once.
 */
import { readFileSync } from 'node:fs';
import { Argument, Command, CommanderError } from 'commander';
import type * as change from './cli-change.js';
import { completionFor, SHELLS, type Shell } from './cli-completion.js';
import type * as look from './cli-look.js';
import { changing, STATUS, toPid, UsageError } from './cli-options.js';
import { printFailure, watchStreams } from './cli-output.js';
import { addSymbols } from './cli-symbols.js';
import { RuntimeError } from './errors.js';

const EXIT = `
Exit status: 0 done; 2 wrong usage or unusable input; 4 refused, or it could not be done, and the process runs on as
before; 5 under way, but not complete in time: the process is consistent, and the same command waits for it again.`;

function program(): Command {
  const top = new Command('driftpatch')
    .description('Patch live multi-threaded processes without stopping any of their threads.')
    .showHelpAfterError('(driftpatch --help shows the usage)')
    .version(version(), '-V, --version', 'print the version')
    .addHelpText('after', '\nPatch files are made by "planner diff OLD NEW -o FILE.drift". See driftpatch(1).');
  changing(top.command('apply'))
    .description('bring a patch to every thread of a running process')
    .argument('<file.drift>', 'the patch file, as planner diff writes it')
    .addHelpText(
      'after',
      `
Examples:
  driftpatch apply fix.drift --pid 4711
  driftpatch apply fix.drift --exe /usr/sbin/nginx      its master and all its workers
  driftpatch apply libfix.drift --all                   every process that has the library loaded
  driftpatch apply fix.drift --pid 4711 --timeout 0     start it and come back at once; status tells more
${EXIT}`,
    )
    .action(async (...args: Parameters<typeof change.runApply>) => (await changes()).runApply(...args));
  changing(top.command('revert'))
    .description('the same transition backwards, to before a patch')
    .argument('<name>', 'the patch, as status and list call it, or the head of its hash')
    .addHelpText(
      'after',
      `
Examples:
  driftpatch revert fix --pid 4711
  driftpatch revert fix --all
  driftpatch revert 3f9a12c4 --pid 4711                 of two patches with one name, the one with this hash
${EXIT}`,
    )
    .action(async (...args: Parameters<typeof change.runRevert>) => (await changes()).runRevert(...args));
  top
    .command('status')
    .description('which processes carry which patches; of a transition, which thread is still to go, and what holds it')
    .option('--pid <n>', 'only this process', toPid)
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', '\nExamples:\n  driftpatch status\n  driftpatch status --pid 4711 --json')
    .action(async (...args: Parameters<typeof look.runStatus>) => (await looks()).runStatus(...args));
  top
    .command('list')
    .description('the patches of all processes, a line each')
    .option('--json', 'one JSON object on stdout')
    .action(async (...args: Parameters<typeof look.runList>) => (await looks()).runList(...args));
  top
    .command('doctor')
    .description('can this machine do it, and what to do about what is missing')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', '\nExit status: 0 if nothing is missing, else 4.')
    .action(async (...args: Parameters<typeof look.runDoctor>) => (await looks()).runDoctor(...args));
  addSymbols(top, toPid);
  top
    .command('completion')
    .description('a script that completes commands and options, for a shell')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  driftpatch completion bash > /etc/bash_completion.d/driftpatch
  driftpatch completion zsh > "\${fpath[1]}/_driftpatch"
  driftpatch completion fish > ~/.config/fish/completions/driftpatch.fish`,
    )
    .action((shell: Shell) => void process.stdout.write(completionFor(shell, top)));
  for (const command of [top, ...top.commands]) command.exitOverride();
  return top;
}

const changes = () => import('./cli-change.js');
const looks = () => import('./cli-look.js');

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

watchStreams();
try {
  await program().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed the message. Help that was asked for is no mistake.
    process.exitCode = error.exitCode === 0 ? STATUS.done : STATUS.usage;
    if (error.exitCode !== 0) printFailure('USAGE', error.message.replace(/^error: /, ''));
  } else if (error instanceof UsageError || error instanceof RuntimeError) {
    process.stderr.write(`driftpatch: ${error.message}\n`);
    process.exitCode = error instanceof RuntimeError ? error.status : STATUS.usage;
    printFailure(error instanceof RuntimeError ? error.code : 'USAGE', error.message);
  } else throw error;
}
