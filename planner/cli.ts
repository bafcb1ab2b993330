#!/usr/bin/env node
// SPDX-License-Identifier: MIT
/**
 * The `planner` command: reads arguments, calls the library, prints, sets the exit status.
 *
 * Status: 0 written; 2 wrong usage or unusable input; 3 nothing that runs differs; 4 refused. 1 is Node's own, for a fault of ours.
 */
import { Command, CommanderError } from 'commander';
import pc from 'picocolors';
import { patchNameOf } from './build/outputs.js';
import type { BuildFlags } from './cli-build.js';
import { allowance, allowHelp, complain, gather, print, sameFile, status, UsageError } from './cli-shared.js';
import { debugFileFor } from './debug-files.js';
import { diff } from './diff.js';
import { PlannerError } from './error.js';
import { FileError, readElfFile, readElfFiles, writeWhole } from './files.js';
import { piecesOf } from './inspect/pieces.js';
import { patchJson, patchText, sha256 } from './inspect/report.js';
import { readPatch } from './patch-file/read.js';
import { writePatch } from './patch-file/write.js';
import { printable } from './printable.js';
import { diffJson, diffText, findingText } from './report.js';
import { shortNotes } from './rules/line-only.js';

/** Columns of a listing that does not go to a terminal. */
const WIDTH = 132;

interface DiffFlags {
  readonly output: string;
  readonly json?: true;
  readonly explain?: true;
  readonly allow: readonly string[];
  readonly oldDebug?: string;
  readonly newDebug?: string;
}

function runDiff(oldPath: string, newPath: string, flags: DiffFlags): number {
  const output = flags.output;
  for (const path of [oldPath, newPath])
    if (sameFile(path, output)) throw new UsageError(`-o ${output} would overwrite ${path}; give another name`);
  const name = patchNameOf(output);
  const allow = flags.allow.map(allowance);
  const { files, workspace } = readElfFiles([oldPath, newPath]);
  const [old, now] = files as [Uint8Array, Uint8Array];
  const debug = {
    oldDebug: debugFileFor(oldPath, old, flags.oldDebug),
    newDebug: debugFileFor(newPath, now, flags.newDebug),
  };
  const result = diff(old, now, { oldName: oldPath, newName: newPath, name, allow, workspace, ...debug });
  if (result.patch) writeWhole(output, writePatch(result.patch));
  if (flags.json) print(JSON.stringify(diffJson(result, oldPath, result.patch ? output : null), null, 2));
  else if (result.differs) print(diffText(result, flags.explain === true));
  const tell = flags.json ? () => {} : complain;
  for (const note of flags.explain ? result.notes : shortNotes(result.notes))
    tell(pc.yellow(`note: ${findingText(note)}`));
  for (const refusal of result.refusals) tell(pc.red(`refused: ${findingText(refusal)}`));
  if (result.refusals.length > 0) return status.refused;
  if (result.patch === null) {
    tell('the two files do not differ in anything that runs');
    return status.same;
  }
  if (!flags.json) print(pc.green(`written: ${output}`));
  return status.ok;
}

async function runInspect(path: string, flags: { readonly json?: true; readonly disasm?: true }): Promise<number> {
  // loads a disassembler, which the other commands have no use for
  const { listingJson, sideBySide } = await import('./inspect/side-by-side.js');
  const bytes = readElfFile(path);
  const patch = readPatch(bytes);
  const hash = sha256(bytes);
  if (flags.json) {
    const listing = flags.disasm ? { disassembly: listingJson(piecesOf(patch)) } : {};
    print(JSON.stringify({ ...patchJson(patch, hash), ...listing }, null, 2));
    return status.ok;
  }
  print(patchText(patch, hash));
  if (flags.disasm) {
    const width = process.stdout.columns ?? (Number(process.env.COLUMNS) || WIDTH);
    print(`\n${sideBySide(piecesOf(patch), { width, colour: process.stdout.isTTY && pc.isColorSupported })}`);
  }
  return status.ok;
}

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
    .option('--allow <code[:symbol]>', allowHelp, gather, [])
    .option('--old-debug <file>', 'symbols and debugging information of OLD, if it is stripped and they are not found')
    .option('--new-debug <file>', 'the same of NEW')
    .action((oldPath: string, newPath: string, flags: DiffFlags) => finish(runDiff(oldPath, newPath, flags)));
  program
    .command('inspect')
    .description('show what is in a patch file')
    .argument('<file>', 'the patch file')
    .option('--json', 'one JSON object on stdout')
    .option('--disasm', 'old and new code side by side')
    .action(async (path: string, flags: { json?: true; disasm?: true }) => finish(await runInspect(path, flags)));
  program
    .command('build')
    .description('build a source folder without and with a patch, and diff every ELF file that changed')
    .usage('--patch FIX.patch [options] -- BUILD COMMAND')
    .argument('<command...>', 'the build command, behind --; it runs in a copy of the source')
    .requiredOption('--patch <file>', 'the fix, as for patch(1); applied without fuzz')
    .option('--source <dir>', 'the source folder; it is copied and never written', '.')
    .option('-o, --output <path>', 'the patch file, or a folder for several; default: FIX-TARGET.drift here')
    .option('--strip <n>', 'folders to cut off the names in the patch; default: 1, or 0 if that does not apply')
    .option('--clean <command>', 'remove what an earlier build left: run by a shell in the copies, before the build')
    .option('--target <name>', 'only this file of those that changed; may be given several times', gather, [])
    .option(
      '--running <file>',
      'the file that runs, by its name one of those that the build makes: patch this one, if the build gives the same code',
      gather,
      [],
    )
    .option('--build-folder <dir>', 'copy and build there, where nothing may be yet, because paths go into binaries')
    .option('--check-reproducible', 'build twice without the fix, and name what differs')
    .option('--keep', 'keep the folder with both builds')
    .option('--verbose', 'show what the build says')
    .option('--json', 'one JSON object on stdout')
    .option('--explain', 'every reason for every function')
    .option('--allow <code[:symbol]>', allowHelp, gather, [])
    .action(async (command: string[], flags: BuildFlags) => {
      // alone of the commands it starts programs, and loads what that takes
      const { runBuild } = await import('./cli-build.js');
      finish(await runBuild(command, flags));
    });
  return program;
}

try {
  await makeProgram((code) => {
    process.exitCode = code;
  }).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? status.ok : status.usage;
  else if (error instanceof UsageError || error instanceof FileError || error instanceof PlannerError) {
    complain(`planner: ${printable(error.message)}`);
    process.exitCode = status.usage;
  } else throw error;
}
