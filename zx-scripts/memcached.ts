// SPDX-License-Identifier: MIT
// memcached before and after a fix, from Debian's source package. The package's own series of patches says what the fix is:
// OLD is the source with the entries before it, NEW has it as well. Both are built from nothing, one after the other, in
// the same folder and with the same clock, so that they differ in nothing but the fix.

import { copyFile, cp, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { cacheFolder, exec, exists, hashOf, type Progress, silent, withLock } from '../vm/index.js';
import { sourcePackage } from './source-package.js';
import { ensurePackages, forMemcached } from './system-packages.js';

export const memcachedVersion = '1.6.18-1+deb12u1';

const configureWords = ['--enable-proxy', '--enable-sasl', '--enable-sasl-pwdb'];
const flags = '-g -O2';

export interface MemcachedOptions {
  /** The index of the fix in the package's series, counted from 0: '006'. */
  readonly fix: string;
  readonly progress?: Progress;
  readonly say?: (line: string) => void;
}

export interface MemcachedPair {
  readonly oldPath: string;
  readonly newPath: string;
  /** The series' entry: its file name. */
  readonly fixName: string;
}

export async function buildMemcached({
  fix,
  progress = silent,
  say = () => {},
}: MemcachedOptions): Promise<MemcachedPair> {
  await ensurePackages(forMemcached, say);
  const source = await sourcePackage('memcached', memcachedVersion, progress);
  const series = await readSeries(source);
  const index = Number(fix);
  const fixName = /^\d+$/.test(fix) ? series[index] : undefined;
  if (fixName === undefined)
    throw new RangeError(
      `expected a fix between 000 and ${series.length - 1}, found "${fix}"; see debian/patches/series`,
    );

  const upTo = await Promise.all(series.slice(0, index + 1).map((name) => readFile(patchPath(source, name))));
  const compiler = (await exec('gcc', ['--version'])).stdout;
  const key = hashOf(memcachedVersion, compiler, configureWords.join(' '), flags, ...upTo);
  const home = cacheFolder('memcached', `${fix.padStart(3, '0')}-${key}`);
  const pair = { oldPath: join(home, 'old', 'memcached'), newPath: join(home, 'new', 'memcached'), fixName };
  await withLock(
    cacheFolder('memcached', 'lock'),
    () => progress({ name: 'wait for another build of memcached' }),
    async () => {
      if (await exists(home)) return;
      const part = `${home}.part`;
      await rm(part, { recursive: true, force: true });
      for (const [name, count] of [
        ['old', index],
        ['new', index + 1],
      ] as const) {
        progress({ name: `build memcached, ${name === 'old' ? 'before' : 'after'} ${basename(fixName)}` });
        const built = await buildOnce(source, series.slice(0, count));
        await mkdir(join(part, name), { recursive: true });
        await copyFile(built, join(part, name, 'memcached'));
      }
      await rm(workFolder(), { recursive: true, force: true });
      await rename(part, home);
    },
  );
  return pair;
}

/** The names in the package's series, in order. */
async function readSeries(source: string): Promise<string[]> {
  const text = await readFile(join(source, 'debian/patches/series'), 'utf8');
  return text
    .split('\n')
    .map(
      (line) =>
        line
          .replace(/(^|\s)#.*/, '')
          .trim()
          .split(/\s+/)[0] ?? '',
    )
    .filter(Boolean);
}

const patchPath = (source: string, name: string) => join(source, 'debian/patches', name);

/** One folder for every build: its path is in the debug information. */
const workFolder = () => cacheFolder('memcached', 'work');

async function buildOnce(source: string, patches: readonly string[]): Promise<string> {
  const work = workFolder();
  await rm(work, { recursive: true, force: true });
  await cp(source, work, { recursive: true, preserveTimestamps: true });
  for (const name of patches) await exec('patch', ['-p1', '--batch', '-d', work, '-i', patchPath(source, name)]);
  const env = { CFLAGS: flags, SOURCE_DATE_EPOCH: '1700000000' };
  await exec('./configure', ['--quiet', ...configureWords], { cwd: work, env });
  // Its own Lua and client first: the program's rule does not build them. (`make all` would, but also builds it twice.)
  for (const target of [['-C', 'vendor'], ['memcached']])
    await exec('nice', ['make', `-j${availableParallelism()}`, ...target], { cwd: work, env });
  return join(work, 'memcached');
}
