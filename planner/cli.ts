#!/usr/bin/env node
// SPDX-License-Identifier: MIT
/**
 * The `planner` command: reads arguments, calls the library, prints, sets the exit status.
 *
 * Status: 0 written; 2 wrong usage or unusable input; 3 nothing that runs differs; 4 refused. 1 is Node's own, for a fault of ours.
 */
import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import pc from 'picocolors';
import { type Allowance, diff } from './diff.js';
import { ElfError } from './elf/error.js';
import { FileError, readElfFile, writeWhole } from './files.js';
import { PatchFileError } from './patch-file/error.js';
import { readPatch } from './patch-file/read.js';
import { writePatch } from './patch-file/write.js';
import { diffJson, diffText, findingText, patchJson, patchText } from './report.js';
import { ALLOWABLE } from './rules/index.js';

const status = { ok: 0, usage: 2, same: 3, refused: 4 } as const;

class UsageError extends Error {}

interface DiffFlags {
  readonly output: string;
  readonly json?: true;
  readonly explain?: true;
  readonly allow: readonly string[];
  readonly oldDebug?: string;
  readonly newDebug?: string;
}

function runDiff(oldPath: string, newPath: string, flags: DiffFlags): number {
  if (flags.oldDebug !== undefined || flags.newDebug !== undefined)
    throw new UsageError(
      'separate debug files are not supported yet; give files with their own .symtab and .debug_info',
    );
  const output = flags.output;
  for (const path of [oldPath, newPath])
    if (sameFile(path, output)) throw new UsageError(`-o ${output} would overwrite ${path}; give another name`);
  const name =
    basename(output)
      .replace(/\.drift$/, '')
      .replace(/[^A-Za-z0-9._+-]/g, '-')
      .slice(0, 64) || 'patch';
  const allow = flags.allow.map(allowance);
  const result = diff(readElfFile(oldPath), readElfFile(newPath), { oldName: oldPath, newName: newPath, name, allow });
  if (result.patch) writeWhole(output, writePatch(result.patch));
  if (flags.json) print(JSON.stringify(diffJson(result, oldPath, result.patch ? output : null), null, 2));
  else if (result.differs) print(diffText(result, flags.explain === true));
  const complain = flags.json ? () => {} : (line: string) => process.stderr.write(`${line}\n`);
  for (const note of result.notes) complain(pc.yellow(`note: ${findingText(note)}`));
  for (const refusal of result.refusals) complain(pc.red(`refused: ${findingText(refusal)}`));
  if (result.refusals.length > 0) return status.refused;
  if (result.patch === null) {
    complain('the two files do not differ in anything that runs');
    return status.same;
  }
  if (!flags.json) print(pc.green(`written: ${output}`));
  return status.ok;
}

function runInspect(path: string, flags: { readonly json?: true; readonly disasm?: true }): number {
  const bytes = readElfFile(path);
  const patch = readPatch(bytes);
  print(flags.json ? JSON.stringify(patchJson(patch), null, 2) : patchText(patch));
  if (flags.disasm && !flags.json) {
    const {
      stdout,
      error,
      status: code,
    } = spawnSync('objdump', ['-dr', '--no-show-raw-insn', path], { encoding: 'utf8', maxBuffer: 1 << 28 });
    if (error || code !== 0) throw new UsageError('--disasm needs objdump; install the package binutils');
    print(stdout.trimEnd());
  }
  return status.ok;
}

function allowance(text: string): Allowance {
  const [code, ...symbol] = text.split(':');
  if (!ALLOWABLE.includes(code!))
    throw new UsageError(`--allow ${text}: expected one of ${ALLOWABLE.join(', ')}; others cannot be allowed`);
  return { code: code!, symbol: symbol.length > 0 ? symbol.join(':') : null };
}

function sameFile(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false;
  }
}

const print = (text: string) => process.stdout.write(`${text}\n`);

function makeProgram(finish: (code: number) => void): Command {
  const program = new Command('planner')
    .description('Compares two builds of a program and writes a patch file for the process that runs the old one.')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text) });
  program
    .command('diff')
    .description('compare OLD and NEW and write a patch file; 3: nothing differs, 4: refused as unsafe')
    .argument('<old>', 'the file that runs')
    .argument('<new>', 'the file as it should be')
    .requiredOption('-o, --output <file>', 'the patch file to write')
    .option('--json', 'one JSON object on stdout')
    .option('--explain', 'every reason for every function')
    .option(
      '--allow <code[:symbol]>',
      `turn a refusal into a note: ${ALLOWABLE.join(', ')}`,
      (one, all: string[]) => [...all, one],
      [],
    )
    .addOption(new Option('--old-debug <file>').hideHelp())
    .addOption(new Option('--new-debug <file>').hideHelp())
    .action((oldPath: string, newPath: string, flags: DiffFlags) => finish(runDiff(oldPath, newPath, flags)));
  program
    .command('inspect')
    .description('show what is in a patch file')
    .argument('<file>', 'the patch file')
    .option('--json', 'one JSON object on stdout')
    .option('--disasm', 'disassemble its code with objdump')
    .action((path: string, flags: { json?: true; disasm?: true }) => finish(runInspect(path, flags)));
  program
    .command('build', { hidden: true })
    .allowUnknownOption()
    .argument('[words...]')
    .action(() => {
      throw new UsageError('build is not there yet; build both files yourself and give them to `planner diff`');
    });
  return program;
}

try {
  makeProgram((code) => {
    process.exitCode = code;
  }).parse();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? status.ok : status.usage;
  else if (
    error instanceof UsageError ||
    error instanceof FileError ||
    error instanceof ElfError ||
    error instanceof PatchFileError
  ) {
    process.stderr.write(`planner: ${error.message}\n`);
    process.exitCode = status.usage;
  } else throw error;
}
