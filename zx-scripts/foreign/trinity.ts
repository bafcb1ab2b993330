// SPDX-License-Identifier: MIT
// Debian's trinity, taught the two system calls by a preloaded library (trinity-views.c), and on its own calls for memory. What it
// calls is random and its children may die of it; what is compared is how it ends itself. The kernel's log is the real judge.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, exec, hashOfFile } from '../../vm/index.js';
import { kernelTree, projectFolder } from '../setup.js';
import type { ShownProgress } from '../show-progress.js';
import { ensurePackages, forTrinity } from '../system-packages.js';
import type { ForeignSuite } from './suite.js';

const library = 'trinity-views.so';

/** It refuses to run as root, and writes where it is. */
const trinity = (words: string) =>
  `mkdir -p own && chmod 777 own && cd own && exec setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=. ${words}`;
/** Without sockets: 2023.01 dies of its own when it has made their cache. */
const flags = 'trinity -q -l off -a64 -C2 --disable-fds=sockets';
const twoCalls = ['setns', 'kcmp', 'ioctl', 'pread64', 'pwrite64', 'mmap', 'mprotect', 'munmap', 'mremap', 'madvise']
  .map((call) => `-c ${call}`)
  .join(' ');

export const trinitySuite: ForeignSuite = {
  about: 'trinity on the two calls, and on its own calls for memory',
  tests: [1, 2, 3].flatMap((seed) => [
    {
      name: `the two calls, seed ${seed}`,
      command: trinity(`LD_PRELOAD=../${library} ${flags} -N 5000 -s ${seed} ${twoCalls}`),
      seconds: 300,
      expect: 'status 0',
      ...(seed === 1 && { quick: true as const }),
    },
    {
      name: `memory, seed ${seed}`,
      command: trinity(`${flags} -N 5000 -s ${seed} -g vm`),
      seconds: 300,
      expect: 'status 0',
    },
  ]),
  prepare: buildLibrary,
};

async function buildLibrary(shown: ShownProgress): Promise<string> {
  await ensurePackages(forTrinity, shown.say);
  const source = join(projectFolder, 'zx-scripts/foreign/trinity-views.c');
  const abi = join(kernelTree, 'include/uapi');
  const folder = cacheFolder(
    'foreign',
    `trinity-${await hashOfFile(source)}-${await hashOfFile(join(abi, 'linux/mmview.h'))}`,
  );
  await mkdir(folder, { recursive: true });
  const words = ['-shared', '-fPIC', '-O2', '-Wall', '-Wextra', `-I${abi}`, '-o', join(folder, library)];
  await exec('gcc', [...words, source]);
  return folder;
}
