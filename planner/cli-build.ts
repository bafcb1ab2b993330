// SPDX-License-Identifier: MIT
/**
 * `planner build`: from a source folder, a fix and a build command to patch files. Either every file that changed gets its patch,
 * or nothing is written.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import pc from 'picocolors';
import { type Built, type BuiltPair, build, checkFolder } from './build/build.js';
import { BuildError } from './build/error.js';
import { outputPaths, patchNameOf } from './build/outputs.js';
import { buildJson, buildRemarks, buildTable, type TargetResult } from './build/report.js';
import { makeWorkspace, removeWorkspace, type Workspace } from './build/workspace.js';
import { allowance, complain, print, status, UsageError } from './cli-shared.js';
import { type Allowance, diff } from './diff.js';
import { openElf } from './elf/open.js';
import { PlannerError } from './error.js';
import { FileError, readElfFile, writeWhole } from './files.js';
import { writePatch } from './patch-file/write.js';
import { printable } from './printable.js';
import { diffText, findingText } from './report.js';

export interface BuildFlags {
  readonly patch: string;
  readonly source: string;
  readonly output?: string;
  readonly strip?: string;
  readonly clean?: string;
  readonly target: readonly string[];
  readonly running: readonly string[];
  readonly allow: readonly string[];
  readonly checkReproducible?: true;
  readonly buildFolder?: string;
  readonly keep?: true;
  readonly verbose?: true;
  readonly explain?: true;
  readonly json?: true;
}

/** Lines of a failed build's output that are shown. */
const TAIL = 30;

export async function runBuild(command: readonly string[], flags: BuildFlags): Promise<number> {
  const allow = flags.allow.map(allowance);
  const strip = flags.strip === undefined ? null : Number(flags.strip);
  if (strip !== null && !/^\d{1,2}$/.test(flags.strip!))
    throw new UsageError(`--strip ${flags.strip}: expected a number of folders`);
  const cancel = cancelOnSignals();
  let workspace: Workspace | null = null;
  try {
    const source = checkFolder(flags.source);
    workspace = makeWorkspace(source, flags.buildFolder ?? null);
    const show = showSteps(flags);
    show.step(`work in ${workspace.root}${flags.keep ? '' : ', which is removed in the end'}`);
    const built = await build(
      {
        patchFile: flags.patch,
        source,
        command,
        strip,
        clean: flags.clean ?? null,
        checkReproducible: flags.checkReproducible === true,
        onStep: show.step,
        onLine: show.line,
        signal: cancel.signal,
      },
      workspace,
    );
    show.step('compare');
    show.end();
    return report(built, source, flags, allow);
  } catch (error) {
    if (cancel.signal.aborted) return 128 + cancel.signal.reason;
    if (error instanceof BuildError) {
      for (const line of error.tail.slice(-TAIL)) complain(`  ${printable(line.replaceAll('\t', '    '))}`);
      throw new UsageError(error.message, { cause: error });
    }
    throw error;
  } finally {
    cancel.end();
    if (workspace !== null && flags.keep !== true) removeWorkspace(workspace);
    else if (workspace !== null) complain(`kept: ${workspace.root}`);
  }
}

/** Compares every pair; writes all patches or none; tells what came out. */
function report(built: Built, source: string, flags: BuildFlags, allow: readonly Allowance[]): number {
  const wanted = pickTargets(built, flags);
  const compared = wanted.map((pair) => compare(pair, flags, allow));
  const writing = compared.filter(({ result }) => result?.patch);
  const bad = compared.some(({ problem }) => problem !== null);
  const refused = compared.some(({ result }) => (result?.refusals.length ?? 0) > 0);
  const targets = bad || refused ? compared : write(compared, writing, flags);

  if (flags.json) print(JSON.stringify(buildJson(flags.patch, source, built, targets), null, 2));
  else tell(built, targets, flags);
  if (bad) return status.usage;
  if (refused) return status.refused;
  return writing.length === 0 ? status.same : status.ok;
}

const is = (path: string, name: string): boolean => path === name || path.endsWith(`/${name}`);

function pickTargets({ changed, unchanged }: Built, flags: BuildFlags): readonly BuiltPair[] {
  const made = [...changed.flatMap(({ path, also }) => [path, ...also]), ...unchanged];
  const known = (name: string) => made.some((path) => is(path, name));
  for (const name of flags.target)
    if (!known(name)) throw new UsageError(`--target ${name}: expected a file that the build makes`);
  for (const file of flags.running)
    if (!known(basename(file)))
      throw new UsageError(`--running ${file}: expected the name of a file that the build makes`);
  const names = flags.target;
  if (names.length === 0) return changed;
  return changed.filter(({ path, also }) => names.some((name) => [path, ...also].some((one) => is(one, name))));
}

function compare(pair: BuiltPair, flags: BuildFlags, allow: readonly Allowance[]): TargetResult {
  const { path, also, oldFile, newFile } = pair;
  const running = flags.running.find((file) => [path, ...also].some((one) => is(one, basename(file))));
  try {
    const [built, now] = [readElfFile(oldFile), readElfFile(newFile)];
    const old = running === undefined ? built : readElfFile(running);
    if (running !== undefined) checkRunning(running, old, path, built);
    const name = patchNameOf(outputPaths(outputOf(flags), flags.patch, [path])[0]!);
    const names = { oldName: running ?? path, newName: `${path} with the fix` };
    const result = diff(old, now, { ...names, name, allow });
    if (result.patch !== null && !openElf(old, path).sections.some((section) => section.name === '.debug_info'))
      complain(
        pc.yellow(
          `${path} has no debugging information, so that layouts are not compared: build with -g, such as -- make CFLAGS="-g -O2"`,
        ),
      );
    return { path, also, output: null, result, problem: null };
  } catch (error) {
    if (!(error instanceof PlannerError) && !(error instanceof FileError) && !(error instanceof UsageError))
      throw error;
    return { path, also, output: null, result: null, problem: error.message };
  }
}

/** The source as it is without the fix must give the file that runs, up to paths and debugging information. */
function checkRunning(running: string, old: Uint8Array, path: string, built: Uint8Array): void {
  const { differs, functions, data, refusals } = diff(old, built, { oldName: running, newName: path });
  if (!differs) return;
  const names = [...functions, ...data].map(({ name }) => name);
  // what is said of no symbol is said of all: other flags, another compiler
  const general = refusals.filter(({ symbol }) => symbol === null).map(({ message }) => `; ${message}`);
  throw new UsageError(
    `${running} is not what this source and this command give: ${names.length} functions and objects differ (${names.slice(0, 5).join(', ')}); build the version that runs, with its flags and its compiler${general.join('')}`,
  );
}

function outputOf({ output }: BuildFlags): { path: string; isFolder: boolean } | null {
  if (output === undefined) return null;
  const isFolder = output.endsWith('/') || (existsSync(output) && statSync(output).isDirectory());
  return { path: output, isFolder };
}

function write(targets: readonly TargetResult[], writing: readonly TargetResult[], flags: BuildFlags): TargetResult[] {
  const output = outputOf(flags);
  if (output !== null && !output.isFolder && writing.length > 1)
    throw new UsageError(
      `-o ${output.path} is one file, but ${writing.length} are to be written (${writing.map(({ path }) => path).join(', ')}): give a folder (with a / behind it), or pick with --target`,
    );
  if (output?.isFolder && writing.length > 0) mkdirSync(output.path, { recursive: true });
  const paths = outputPaths(
    output,
    flags.patch,
    writing.map(({ path }) => path),
  );
  const files = writing.map(({ result }, i) => writePatch({ ...result!.patch!, name: patchNameOf(paths[i]!) }));
  files.forEach((bytes, i) => {
    writeWhole(paths[i]!, bytes);
  });
  return targets.map((target) => {
    const index = writing.indexOf(target);
    return index < 0 ? target : { ...target, output: paths[index]! };
  });
}

function tell(built: Built, targets: readonly TargetResult[], flags: BuildFlags): void {
  for (const remark of buildRemarks(built)) complain(pc.dim(remark));
  for (const { path, result, problem } of targets) {
    if (problem !== null) complain(pc.red(`cannot be used: ${problem}`));
    if (result === null) continue;
    if (result.differs) print(diffText(result, flags.explain === true));
    for (const note of result.notes) complain(pc.yellow(`note: ${path}: ${findingText(note)}`));
    for (const refusal of result.refusals) complain(pc.red(`refused: ${path}: ${findingText(refusal)}`));
  }
  if (targets.length > 0) print(buildTable(targets));
  if (!targets.some(({ result, problem }) => problem !== null || result?.differs))
    complain(
      `nothing that runs differs: ${built.unchanged.length} files are the same, ${targets.length} in all that runs`,
    );
}

/** On a terminal the last line of what the build says, else its steps alone; everything with --verbose. */
function showSteps({ verbose, json }: BuildFlags) {
  const alive = process.stderr.isTTY === true && !verbose && !json;
  let began = 0;
  let current = '';
  const clear = () => void (alive && process.stderr.write('\r\u001b[K'));
  const end = () => {
    clear();
    const seconds = Math.round((Date.now() - began) / 1000);
    if (current !== '' && seconds >= 2 && !json) complain(pc.dim(`  ${current}: ${seconds} s`));
    current = '';
  };
  return {
    step(name: string) {
      end();
      began = Date.now();
      current = name;
      if (!json) complain(`${pc.cyan('»')} ${name}`);
    },
    line(text: string) {
      const line = printable(text.replaceAll('\t', ' '));
      if (verbose) complain(`  ${line}`);
      else if (alive) process.stderr.write(`\r\u001b[K  ${line.slice(0, (process.stderr.columns || 80) - 4)}`);
    },
    end,
  };
}

const NUMBERS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** A signal cancels what is going on; its number is the reason. */
function cancelOnSignals() {
  const abort = new AbortController();
  const listeners = Object.entries(NUMBERS).map(([name, number]) => {
    const listener = () => abort.abort(number);
    process.on(name, listener);
    return () => void process.removeListener(name, listener);
  });
  const end = () => {
    for (const remove of listeners) remove();
  };
  return { signal: abort.signal, end };
}
