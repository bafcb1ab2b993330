#!/usr/bin/env node
// SPDX-License-Identifier: MIT
/**
 * The `driftpatch` command: reads argv and files, prints, sets the exit status. Everything else is the library's.
 *
 * Exit status: 0 done; 1 a fault of our own (an uncaught error); 2 wrong usage or unusable input; 4 refused or could not
 * be done, the process runs on as before; 5 the transition is under way but not complete at the time-out.
 */
import { Argument, Command, CommanderError } from 'commander';
import { runApply, runRevert } from './cli-change.js';
import { completionFor, SHELLS, type Shell } from './cli-completion.js';
import { runDoctor, runList, runStatus } from './cli-look.js';
import { changing, STATUS, toPid, UsageError } from './cli-options.js';
import { addSymbols } from './cli-symbols.js';
import { RuntimeError } from './index.js';

const EXIT = `
Exit status: 0 done; 2 wrong usage or unusable input; 4 refused, or it could not be done, and the process runs on as
before; 5 under way, but not complete in time: the process is consistent, and the same command waits for it again.`;

function program(): Command {
  const top = new Command('driftpatch')
    .description('Patch live multi-threaded processes without stopping any of their threads.')
    .showHelpAfterError('(driftpatch --help shows the usage)')
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
    .action(runApply);
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
    .action(runRevert);
  top
    .command('status')
    .description('which processes carry which patches; of a transition, which thread is still to go, and what holds it')
    .option('--pid <n>', 'only this process', toPid)
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', '\nExamples:\n  driftpatch status\n  driftpatch status --pid 4711 --json')
    .action(runStatus);
  top
    .command('list')
    .description('the patches of all processes, a line each')
    .option('--json', 'one JSON object on stdout')
    .action(runList);
  top
    .command('doctor')
    .description('can this machine do it, and what to do about what is missing')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', '\nExit status: 0 if nothing is missing, else 4.')
    .action(runDoctor);
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
  driftpatch completion zsh > "\${fpath[1]}/_driftpatch"`,
    )
    .action((shell: Shell) => void process.stdout.write(completionFor(shell, top)));
  for (const command of [top, ...top.commands]) command.exitOverride();
  return top;
}

try {
  await program().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed the message. Help that was asked for is no mistake.
    process.exitCode = error.exitCode === 0 ? STATUS.done : STATUS.usage;
  } else if (error instanceof UsageError || error instanceof RuntimeError) {
    process.stderr.write(`driftpatch: ${error.message}\n`);
    process.exitCode = error instanceof RuntimeError ? error.status : STATUS.usage;
  } else throw error;
}
