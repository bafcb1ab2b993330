// SPDX-License-Identifier: MIT
/**
 * What the commands of `driftpatch` have in common: options and exit statuses.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Consistency, Selection } from './index.js';
import { DEFAULT_TIMEOUT, MODES, type Mode } from './ways/way.js';

/** 0 done; 1 a fault of our own; 2 wrong usage or unusable input; 4 refused or impossible; 5 not complete in time. */
export const STATUS = { done: 0, usage: 2, refused: 4, pending: 5 } as const;

export class UsageError extends Error {}

export interface ChangeFlags {
  pid?: number;
  exe?: string;
  all?: boolean;
  timeout: number;
  consistency: Consistency;
  mode: Mode;
  json?: boolean;
  verbose?: boolean;
}

/** The options of a command that changes processes. */
export function changing(command: Command): Command {
  return command
    .option('--pid <n>', 'this process', toPid)
    .option('--exe <path>', 'every process of this program')
    .option('--all', 'every process on the machine')
    .option('--timeout <seconds>', 'how long to wait for the threads; 0: only start', toSeconds, DEFAULT_TIMEOUT)
    .addOption(
      new Option(
        '--consistency <kind>',
        'strict: a thread changes over with no changed function on its stack; entry: only the changed bytes count',
      )
        .choices(['strict', 'entry'])
        .default('strict'),
    )
    .addOption(modeOption())
    .option('--json', 'one JSON object on stdout')
    .option('-v, --verbose', 'a line for each step and each thread, also on a terminal');
}

function modeOption(): Option {
  const option = new Option('--mode <mode>', 'wait-free: no thread is ever stopped; stop: all are, for a moment');
  option.choices([...MODES]).default('wait-free');
  // With one to choose from there is no choice to tell of.
  return MODES.length > 1 ? option : option.hideHelp();
}

/** The one process that is meant, or which ones; exactly one of the three must be given. */
export function selectionOf({ pid, exe, all }: ChangeFlags): number | Selection {
  const given = [pid !== undefined, exe !== undefined, all === true].filter((one) => one).length;
  if (given === 0) throw new UsageError('which process? give --pid N, --exe PATH or --all');
  if (given > 1) throw new UsageError('which process? give only one of --pid N, --exe PATH and --all');
  if (pid !== undefined) return pid;
  return exe === undefined ? { all: true } : { exe };
}

export function toPid(text: string): number {
  const pid = Number(text);
  if (/^[1-9]\d*$/.test(text) && pid < 2 ** 31) return pid;
  throw new InvalidArgumentError('a process id is a positive whole number.');
}

function toSeconds(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new InvalidArgumentError('seconds are a number, 0 or more.');
}
