// SPDX-License-Identifier: MIT
/**
 * From a source folder, a fix and a build command to pairs of files: the source is copied, built, put aside, copied to the same path
 * again, patched and built again. Both builds begin with nothing and differ in nothing but the fix.
 *
 * Flags are the build's own affair: none are added. What it must have (-g, a build id, no strip) is asked for where it is missing.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { applyPatch } from './apply-patch.js';
import { BuildError } from './error.js';
import { type Difference, differencesOf } from './reproducible.js';
import { runTool, type ToolOptions } from './tools.js';
import { filesOf, firstChange, kindOf, newestSecond, type TreeFile } from './tree.js';
import { copySource, setAside, type Workspace } from './workspace.js';

export interface BuildJob {
  readonly patchFile: string;
  readonly source: string;
  readonly command: readonly string[];
  readonly strip: number | null;
  /** A shell command that removes what an earlier build left; run in each copy before it is built. */
  readonly clean: string | null;
  readonly checkReproducible: boolean;
  readonly onStep: (name: string) => void;
  /** What the build says. */
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface BuiltPair {
  /** Below the source folder. */
  readonly path: string;
  /** Further files with the same content before and after. */
  readonly also: readonly string[];
  readonly oldFile: string;
  readonly newFile: string;
}

export interface Built {
  /** What both builds made, and is not the same. */
  readonly changed: readonly BuiltPair[];
  /** What both builds made, and is the same. */
  readonly unchanged: readonly string[];
  /** What only the one or the other made. */
  readonly onlyOld: readonly string[];
  readonly onlyNew: readonly string[];
  /** Executables and libraries that were there before, and that the build left alone. */
  readonly untouched: readonly string[];
  /** Of two builds of OLD; null if that was not asked for. */
  readonly differences: readonly Difference[] | null;
  readonly sourceDateEpoch: string;
}

export async function build(job: BuildJob, workspace: Workspace): Promise<Built> {
  const before = filesOf(job.source);
  checkSource(job, before);
  const sourceDateEpoch = process.env.SOURCE_DATE_EPOCH ?? `${newestSecond(before)}`;
  const options: ToolOptions = { env: { SOURCE_DATE_EPOCH: sourceDateEpoch }, signal: job.signal };

  job.onStep('see whether the patch applies');
  await copySource(job.source, workspace, options);
  await applyPatch(resolve(job.patchFile), workspace.place, job.strip, options);
  await setAside(workspace, 'patched', options);

  const old = await buildOnce(job, workspace, 'before the fix', options, null);
  const untouched = [...old.left];
  let differences: Difference[] | null = null;
  if (job.checkReproducible) {
    const again = await buildOnce(job, workspace, 'before the fix, again', options, null);
    differences = differencesOf(
      old.root,
      again.root,
      [...old.linked].filter((path) => again.linked.has(path)),
    );
    checkDifferences(job, differences);
  }
  const now = await buildOnce(job, workspace, 'after the fix', options, join(workspace.root, 'patched'));
  const written = firstChange(before, filesOf(job.source));
  if (written !== null)
    throw new BuildError(
      'TREE_CHANGED',
      join(job.source, written),
      'files of an earlier configuration may name this folder: make configuring it a part of the build command; or somebody else wrote here',
    );
  return { ...pair(old, now), untouched, differences, sourceDateEpoch };
}

function checkSource({ source, patchFile, clean }: BuildJob, files: readonly TreeFile[]): void {
  try {
    readFileSync(patchFile);
  } catch (cause) {
    throw new BuildError('PATCH', patchFile, cause instanceof Error ? cause.message : String(cause), { cause });
  }
  const cache = files.find(({ path }) => /(^|\/)CMakeCache\.txt$/.test(path));
  if (cache !== undefined)
    throw new BuildError(
      'SOURCE',
      join(source, cache.path),
      'it names this folder, and a build of a copy would write here; give a folder that is not configured, and let the build command run cmake',
    );
  if (clean !== null) return;
  const objects = files.filter(({ path, size }) => size >= 8 && kindOf(join(source, path)) === 'object');
  if (objects.length > 0)
    throw new BuildError(
      'NOT_CLEAN',
      source,
      `${objects.length} such as ${objects[0]!.path}; both builds have to begin with nothing: clean it, or give --clean "make clean", which is run in the copies`,
    );
}

interface OneBuild {
  readonly root: string;
  /** Executables and shared libraries. */
  readonly linked: ReadonlySet<string>;
  /** Those of them that the build has not made. */
  readonly left: readonly string[];
}

async function buildOnce(
  job: BuildJob,
  workspace: Workspace,
  which: string,
  options: ToolOptions,
  patched: string | null,
): Promise<OneBuild> {
  job.onStep(`build, ${which}`);
  await copySource(patched ?? job.source, workspace, options);
  const inPlace = { ...options, cwd: workspace.place };
  if (job.clean !== null) await step(job, ['sh', '-c', job.clean], `clean, ${which}`, inPlace);
  const before = new Map(linkedIn(workspace.place).map((file) => [file.path, file]));
  await step(job, job.command, `the build ${which}`, inPlace);
  const linked = linkedIn(workspace.place);
  if (linked.length === 0)
    throw new BuildError('NO_RESULT', job.command.join(' '), 'for x86-64; give the command that links the program');
  const left = linked.filter(({ path, modifiedMs }) => before.get(path)?.modifiedMs === modifiedMs);
  const root = await setAside(workspace, which.replaceAll(/\W+/g, '-'), options);
  return { root, linked: new Set(linked.map(({ path }) => path)), left: left.map(({ path }) => path) };
}

const linkedIn = (root: string): TreeFile[] =>
  filesOf(root).filter(({ path, size }) => size >= 64 && kindOf(join(root, path)) === 'linked');

async function step(job: BuildJob, words: readonly string[], what: string, options: ToolOptions): Promise<void> {
  const { status, lines } = await runTool(words, { ...options, onLine: job.onLine });
  if (status === 0) return;
  throw new BuildError('BUILD_FAILED', words.join(' '), `${what} ended with status ${status}`, { tail: lines });
}

/** Differences in what a process has mapped would look like parts of the fix. */
function checkDifferences(job: BuildJob, differences: readonly Difference[]): void {
  const first = differences.find(({ sections }) => sections.some(({ matters }) => matters));
  if (first === undefined) return;
  const lines = differences.flatMap(({ path, sections }) =>
    sections
      .filter(({ matters }) => matters)
      .map((one) => `${path}: ${one.name}+0x${one.offset.toString(16)}: ${one.first} and ${one.second}`),
  );
  throw new BuildError(
    'NOT_REPRODUCIBLE',
    job.command.join(' '),
    `in ${lines.length} sections; a time, a random number or an order goes into them: take it out of the build`,
    { tail: lines },
  );
}

function pair(old: OneBuild, now: OneBuild): Omit<Built, 'untouched' | 'differences' | 'sourceDateEpoch'> {
  const changed = new Map<string, { path: string; also: string[]; oldFile: string; newFile: string }>();
  const unchanged: string[] = [];
  for (const path of [...old.linked].sort(shorterFirst)) {
    if (!now.linked.has(path)) continue;
    const [oldFile, newFile] = [join(old.root, path), join(now.root, path)];
    const [before, after] = [hashOf(oldFile), hashOf(newFile)];
    if (before === after) {
      unchanged.push(path);
      continue;
    }
    const known = changed.get(before + after);
    if (known) known.also.push(path);
    else changed.set(before + after, { path, also: [], oldFile, newFile });
  }
  const without = (a: ReadonlySet<string>, b: ReadonlySet<string>) => [...a].filter((path) => !b.has(path)).sort();
  return {
    changed: [...changed.values()],
    unchanged,
    onlyOld: without(old.linked, now.linked),
    onlyNew: without(now.linked, old.linked),
  };
}

/** Of equal files the one with the shorter path is the one people mean. */
const shorterFirst = (a: string, b: string): number => a.length - b.length || (a < b ? -1 : 1);

const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** A folder to build from; throws BuildError. */
export function checkFolder(source: string): string {
  if (!existsSync(source) || !statSync(source).isDirectory())
    throw new BuildError('SOURCE', source, 'expected a folder with the source');
  return resolve(source);
}
