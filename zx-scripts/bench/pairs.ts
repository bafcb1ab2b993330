// SPDX-License-Identifier: MIT
// What the planner is measured over. A large pair that everybody with Debian 12 can have: all of LLVM's static libraries (unstripped, as
// Debian ships them), linked into one shared object of 121 MB, twice, with one function of our own before them that differs:
// so everything behind it has moved. And the real fixes of the corpus, where it is.

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, exec, exists, hashOf, hashOfFile } from '../../vm/index.js';
import { projectFolder } from '../setup.js';
import type { ShownProgress } from '../show-progress.js';
import { ensurePackages } from '../system-packages.js';

export interface Pair {
  readonly name: string;
  readonly old: string;
  readonly new: string;
}

const llvm = '/usr/lib/llvm-14/lib';
const fix = `int driftpatch_bench_limit(int n)
{
#ifdef NEW
	if (n > 64)
		return -1;
#endif
	return n * 3;
}
`;

/** Linked once, in some seconds; then from the cache. */
export async function largePair(shown: ShownProgress): Promise<Pair> {
  await ensurePackages(['gcc', 'g++', 'llvm-14-dev'], shown.say);
  const archives = (await readdir(llvm)).filter((name) => /^libLLVM.*\.a$/.test(name)).sort();
  const { stdout: compiler } = await exec('g++', ['--version']);
  const contents = await Promise.all(archives.map((name) => hashOfFile(join(llvm, name))));
  const folder = cacheFolder('bench', `llvm-${hashOf(compiler, fix, ...archives, ...contents)}`);
  const pair = { name: 'llvm', old: join(folder, 'old.so'), new: join(folder, 'new.so') };
  if (await exists(folder)) return pair;
  shown.onStep({ name: `linking ${archives.length} of LLVM's libraries, twice` });
  await intoCache(folder, async (part) => {
    await writeFile(join(part, 'fix.c'), fix);
    for (const side of ['old', 'new']) {
      const define = side === 'new' ? ['-DNEW'] : [];
      await exec('gcc', ['-O2', '-fPIC', ...define, '-c', join(part, 'fix.c'), '-o', join(part, 'fix.o')]);
      const whole = ['-Wl,--whole-archive', ...archives.map((name) => join(llvm, name)), '-Wl,--no-whole-archive'];
      const output = join(part, `${side}.so`);
      await exec('g++', ['-shared', '-Wl,--build-id', '-o', output, join(part, 'fix.o'), ...whole]);
    }
  });
  return pair;
}

/** The folder of the corpus: DRIFTPATCH_CORPUS, or ../shared/corpus beside the checkout; null if there is none. */
export function corpusFolder(): string | null {
  const folder = process.env.DRIFTPATCH_CORPUS || join(projectFolder, '../shared/corpus');
  return existsSync(folder) ? folder : null;
}

/** Every program's every fix, or only each program's first. Null if there is no corpus. */
export async function corpusPairs(firstOnly: boolean, shown: ShownProgress): Promise<Pair[] | null> {
  const corpus = corpusFolder();
  if (corpus === null) return null;
  const archives = (await readdir(corpus)).filter((name) => name.endsWith('.tar.zst')).sort();
  const contents = await Promise.all(archives.map((name) => hashOfFile(join(corpus, name))));
  const folder = cacheFolder('bench', `corpus-${hashOf(...archives, ...contents)}`);
  if (!(await exists(folder))) {
    await ensurePackages(['zstd'], shown.say);
    shown.onStep({ name: 'unpacking the corpus' });
    await intoCache(folder, async (part) => {
      for (const name of archives)
        await exec('sh', ['-c', 'zstd -dc --long=31 "$1" | tar -x -C "$2"', 'sh', join(corpus, name), part]);
    });
  }
  const pairs: Pair[] = [];
  for (const program of (await readdir(folder)).sort())
    for (const fixName of (await readdir(join(folder, program))).sort().slice(0, firstOnly ? 1 : undefined))
      pairs.push(...(await pairsIn(`${program}/${fixName}`, join(folder, program, fixName))));
  return pairs;
}

async function pairsIn(name: string, folder: string): Promise<Pair[]> {
  const files = (await readdir(join(folder, 'old'))).filter((file) => !/\.norm\d$/.test(file)).sort();
  const pairs: Pair[] = [];
  const seen = new Set<number>();
  for (const file of files) {
    const [old, now] = [join(folder, 'old', file), join(folder, 'new', file)];
    // some programs are there under two names: redis-check-aof is redis-server
    const { size } = await stat(old);
    if (!existsSync(now) || seen.has(size)) continue;
    seen.add(size);
    pairs.push({ name: `${name}/${file}`, old, new: now });
  }
  return pairs;
}

/** Makes a folder of the cache whole or not at all. */
async function intoCache(folder: string, fill: (part: string) => Promise<void>): Promise<void> {
  await mkdir(join(folder, '..'), { recursive: true });
  const part = await mkdtemp(`${folder}.part-`);
  try {
    await fill(part);
    await rename(part, folder);
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}
