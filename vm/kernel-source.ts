// SPDX-License-Identifier: MIT
// Where the kernel's source comes from: KERNEL_SOURCE (a folder or a tarball), else Debian's linux-source-6.12 package. It is
// unpacked once into the cache, as a working tree that the series is then applied to. A folder that somebody names is
// copied: we never write into it.

import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, exists, hashOf, hashOfFile } from './cache.js';
import { VmError } from './errors.js';
import { exec } from './exec.js';
import type { Progress } from './progress.js';

export const defaultTarball = '/usr/src/linux-source-6.12.tar.xz';

export interface KernelSource {
  /** Names this source in hashes. */
  readonly id: string;
  /** The folder in the cache that belongs to it: `tree`, `originals`, object folders. */
  readonly home: string;
}

/** Find the source and unpack it if that has not been done. Call with the kernel lock held. */
export async function prepareSource(progress: Progress, wanted = process.env.KERNEL_SOURCE): Promise<KernelSource> {
  const source = await locateSource(wanted);
  const tree = join(source.home, 'tree');
  if (await exists(tree)) return source;

  progress({ name: 'unpack the kernel source' });
  const part = join(source.home, 'part');
  await rm(part, { recursive: true, force: true });
  await mkdir(part, { recursive: true });
  const path = wanted || defaultTarball;
  if ((await stat(path)).isDirectory()) await exec('cp', ['-a', '--reflink=auto', `${path}/.`, part]);
  else await exec('tar', ['-xf', path, '-C', part, '--strip-components=1']);
  await checkVersion(part, path);
  await rename(part, tree);
  return source;
}

/** Name the source without unpacking it: this is what the warm path costs. */
export async function locateSource(wanted = process.env.KERNEL_SOURCE): Promise<KernelSource> {
  const path = wanted || defaultTarball;
  const facts = await stat(path).catch(() => null);
  if (!facts) throw new VmError('BAD_KERNEL_SOURCE', { where: path, what: 'nothing' });
  const id = facts.isDirectory()
    ? hashOf(path, await readFile(join(path, 'Makefile'), 'utf8').catch(() => ''))
    : await hashOfFile(path);
  return { id, home: cacheFolder('kernel', id) };
}

async function checkVersion(folder: string, path: string): Promise<void> {
  const makefile = await readFile(join(folder, 'Makefile'), 'utf8').catch(() => '');
  const number = (name: string) => new RegExp(`^${name} = (\\d+)`, 'm').exec(makefile)?.[1];
  const found = [number('VERSION'), number('PATCHLEVEL')].join('.');
  if (found !== '6.12') {
    const what = found === '.' ? 'something without a kernel Makefile' : `version ${found}`;
    throw new VmError('BAD_KERNEL_SOURCE', { where: path, what });
  }
}
