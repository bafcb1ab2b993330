// SPDX-License-Identifier: MIT
// `npm run vm -- COMMAND...`: the command line of the guest. Exits with the command's own status; 125 if the guest was lost or
// its kernel complained, so that neither is ever taken for a result of the command.

import { Command, InvalidArgumentError, Option } from 'commander';
import { defaults, type Flavour, type GuestRoot, runInGuest } from '../vm/index.js';
import { ensureKernel, ensureQemu, ensureRoot, projectFolder } from './setup.js';
import { showProgress } from './show-progress.js';
import { cancelOnSignals, complain, failedVm, reportAndExit } from './vm-status.js';

interface Options {
  readonly cpus: number;
  readonly memory: string;
  readonly kernel: Flavour;
  readonly root: GuestRoot['kind'];
  readonly share?: string;
  readonly timeout?: number;
  readonly bzimage?: string;
  readonly append?: string;
  readonly console: boolean;
}

const positive = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0.');
  return value;
};
const memory = (text: string): string => {
  if (!/^\d+[MG]$/.test(text)) throw new InvalidArgumentError('expected a size like 512M or 2G.');
  return text;
};

/** npm keeps `npm run vm --cpus 4 -- COMMAND` to itself and passes it as a variable. */
const option = (flags: string, text: string): Option => {
  const made = new Option(flags, text);
  return made.env(`npm_config_${made.long?.slice(2)}`);
};

const program = new Command('npm run vm --')
  .description('Run COMMAND as root in a guest with the project’s kernel; without a command, a shell.')
  .argument('[command...]', 'starts in /project, the checkout, read-only')
  .addOption(option('--cpus <n>', 'processors').argParser(positive).default(defaults.cpus))
  .addOption(option('--memory <size>', 'memory').argParser(memory).default(defaults.memory))
  .addOption(option('--kernel <flavour>', 'the kernel').choices(['plain', 'debug']).default('plain'))
  .addOption(option('--root <kind>', 'the guest’s root file system').choices(['image', 'host']).default('image'))
  .addOption(option('--share <folder>', 'a host folder, writable in the guest at /mnt/share'))
  .addOption(
    option('--timeout <seconds>', `give the guest up (default: ${defaults.timeoutSeconds}; a shell: never)`).argParser(
      positive,
    ),
  )
  .addOption(option('--bzimage <file>', 'boot this kernel instead of building one'))
  .addOption(option('--append <words>', 'more words for the kernel’s command line'))
  .addOption(new Option('--console', 'show the guest’s console on stderr').default(false))
  .addHelpText(
    'after',
    `\nExit status: the command's; ${failedVm} if the guest was lost or its kernel complained; 2 for wrong usage.`,
  )
  .passThroughOptions()
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

async function main(command: readonly string[], options: Options): Promise<number> {
  if (command.length === 0 && !process.stdin.isTTY) {
    complain('vm: expected a command, or a terminal for a shell; found neither. Give a command: npm run vm -- COMMAND');
    return 2;
  }
  const shown = showProgress();
  await ensureQemu(shown);
  const kernel = options.bzimage ?? (await ensureKernel(options.kernel, shown)).bzImage;
  const root = await ensureRoot(options.root, shown);
  shown.end();

  const result = await runInGuest(command.length ? command : null, {
    kernel,
    root,
    project: projectFolder,
    cpus: options.cpus,
    memory: options.memory,
    signal: cancelOnSignals(),
    onStdout: (bytes) => void process.stdout.write(bytes),
    onStderr: (bytes) => void process.stderr.write(bytes),
    ...(options.console && { onConsole: (bytes: Buffer) => void process.stderr.write(bytes) }),
    ...(options.share !== undefined && { share: options.share }),
    ...(options.timeout !== undefined && { timeoutSeconds: options.timeout }),
    ...(options.append !== undefined && { append: options.append }),
  });
  if (result.healthy) return result.status;
  for (const line of result.complaints) complain(`vm: the guest's kernel complained: ${line}`);
  if (result.leakedViews) complain(`vm: expected no view left at the end, found ${result.leakedViews}`);
  complain(`vm: the command itself ended with status ${result.status}`);
  return failedVm;
}

for (const { long } of program.options)
  if (process.env[`npm_config_${long?.slice(2)}`] === 'true') {
    complain(`vm: npm took ${long} for itself; write it behind npm's own --: npm run vm -- ${long} VALUE -- COMMAND`);
    process.exit(2);
  }
program.parse();
await reportAndExit('vm', () => main(program.args, program.opts<Options>()));
