// SPDX-License-Identifier: MIT
// Programs before and after a fix, from Debian's source packages. OLD is the source with the series' entries before the fix, NEW has
// it as well. Each state of the source is built once, from nothing, always in the same folder and with the same clock, so that
// two of them differ in nothing but what stands between them. ccache spares the compiler what it has compiled before, and
// gives the bytes that it gave then.

import { copyFile, cp, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, exec, exists, hashOf, type Progress, silent, withLock } from '../../vm/index.js';
import { sourcePackage } from '../source-package.js';
import { ensurePackages, forSources } from '../system-packages.js';
import type { SourceProgram } from './source-program.js';

export interface BuildOptions {
  readonly progress?: Progress;
  readonly say?: (line: string) => void;
  /** With the barrier of quiescence.h in it. */
  readonly barrier?: boolean;
}

/** Two folders with what the program keeps. */
export interface BuiltPair {
  readonly old: string;
  readonly new: string;
  /** The series' entry: its file name. */
  readonly fixName: string;
}

/** `fix`: its index in the series, '006'. */
export async function buildFix(program: SourceProgram, fix: string, options: BuildOptions = {}): Promise<BuiltPair> {
  const source = await fetched(program, options);
  const index = Number(fix);
  const entry = /^\d+$/.test(fix) ? source.series[index] : undefined;
  if (entry === undefined)
    throw new RangeError(
      `${program.name}: expected a fix between 000 and ${source.series.length - 1}, found "${fix}"; see debian/patches/series`,
    );
  const old = await buildState(program, source, index, options);
  return { old, new: await buildState(program, source, index + 1, options), fixName: basename(entry) };
}

/** With its whole series. */
export async function buildNewest(program: SourceProgram, options: BuildOptions = {}): Promise<string> {
  const source = await fetched(program, options);
  return buildState(program, source, source.series.length, options);
}

interface Source {
  readonly folder: string;
  /** Paths of the patches, in order. */
  readonly series: readonly string[];
}

async function fetched(program: SourceProgram, { progress = silent, say = () => {} }: BuildOptions): Promise<Source> {
  await ensurePackages([...forSources, ...program.packages], say);
  const folder = await sourcePackage(program.source, program.version, progress);
  const text = await readFile(join(folder, 'debian/patches/series'), 'utf8');
  const entries = text
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*/, '').trim())
    .filter(Boolean);
  const series = entries.map((line) => join(folder, 'debian/patches', line.split(/\s+/)[0]!));
  return { folder, series: program.ownFix ? [...series, program.ownFix] : series };
}

const flags = '-g -O2';
const quiescence = fileURLToPath(new URL('../../../zx-scripts/servers/quiescence.h', import.meta.url));

/** The source with the first `count` entries of its series. */
async function buildState(
  program: SourceProgram,
  { folder, series }: Source,
  count: number,
  { progress = silent, barrier = false }: BuildOptions,
): Promise<string> {
  const { name, version, build, keep, own = [] } = program;
  if (barrier && !program.barrier) throw new RangeError(`${name}: expected a patch with a barrier, found none`);
  const added = barrier ? [quiescence, program.barrier!] : [];
  const files = await Promise.all([...own, ...added, ...series.slice(0, count)].map((file) => readFile(file)));
  const compiler = (await exec('gcc', ['--version'])).stdout;
  const key = hashOf(version, compiler, flags, build, JSON.stringify(keep), ...files);
  const at = (...inside: string[]) => cacheFolder('servers', name, ...inside);
  const home = at(`${String(count).padStart(3, '0')}${barrier ? '-barrier' : ''}-${key}`);
  const onWait = () => progress({ name: `wait for another build of ${name}` });
  await withLock(at('lock'), onWait, async () => {
    if (await exists(home)) return;
    const last = series[count - 1];
    progress({ name: `build ${name} ${last ? `up to ${basename(last)}` : 'as its authors left it'}` });
    // One folder for every build: its path is in the debug information.
    const work = at('work');
    await rm(work, { recursive: true, force: true });
    await cp(folder, work, { recursive: true, preserveTimestamps: true });
    const patches = [...series.slice(0, count), ...(barrier ? [program.barrier!] : [])];
    for (const patch of patches) await exec('patch', ['-p1', '--batch', '-d', work, '-i', patch]);
    // Like the source itself, in the same place for every build.
    const headers = join(work, 'quiescence');
    if (barrier) {
      await mkdir(headers);
      await copyFile(quiescence, join(headers, basename(quiescence)));
    }
    const env = { ...environment(own), ...(barrier && { CPATH: headers }) };
    await exec('nice', ['sh', '-e', '-c', build], { cwd: work, env });
    const part = `${home}.part`;
    await rm(part, { recursive: true, force: true });
    await mkdir(part, { recursive: true });
    for (const [kept, path] of Object.entries(keep)) await copyFile(join(work, path), join(part, kept));
    await rename(part, home);
    await rm(work, { recursive: true, force: true });
  });
  return home;
}

const environment = (own: readonly string[]): Record<string, string> => ({
  CFLAGS: flags,
  CXXFLAGS: flags,
  SOURCE_DATE_EPOCH: '1700000000',
  PATH: `/usr/lib/ccache:${process.env.PATH}`,
  CCACHE_DIR: cacheFolder('ccache'),
  JOBS: String(availableParallelism()),
  OWN: own.length > 0 ? join(own[0]!, '..') : '',
});
