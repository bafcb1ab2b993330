// SPDX-License-Identifier: MIT
// The guest's root as one ext4 file: Debian's minimal base of the machine's own release, a few packages, and the Node that is
// running this. No mount, no loop device: mke2fs fills the file system from a folder. Cached by what goes into it.

import { copyFile, mkdir, mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { oneLineSources, readAptSources } from './apt-sources.js';
import { cacheFolder, exists, hashOf, hashOfFile } from './cache.js';
import { exec } from './exec.js';
import { withLock } from './lock.js';
import { type Progress, silent } from './progress.js';

/** Changed together with the way the image is made. */
const recipe = '1';

/** What the guest needs: the tools of the init script, the libraries of Node and of memcached, a load generator. */
const packages = [
  'iproute2',
  'procps',
  'libmemcached-tools',
  'libstdc++6',
  'libatomic1',
  'libsasl2-2',
  // libevent-2.1-7, or libevent-2.1-7t64: releases name it differently, and the pattern takes what exists.
  '?name(^libevent-2[.]1-7)',
];

/** Everything that only a person would read. */
const leaveOut = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*'];

export interface ImageOptions {
  readonly progress?: Progress;
  /** The Node binary that goes into the image. */
  readonly node?: string;
}

export async function buildImage({ progress = silent, node = process.execPath }: ImageOptions = {}): Promise<string> {
  const apt = await readAptSources();
  const key = hashOf(recipe, apt.codename, packages.join(' '), await hashOfFile(await realpath(node)));
  const image = cacheFolder('image', `${apt.codename}-${key}.ext4`);
  if (await exists(image)) return image;

  const onWait = () => progress({ name: 'wait for another build of the guest image' });
  return withLock(cacheFolder('image', 'lock'), onWait, async () => {
    if (await exists(image)) return image;
    const scratch = await mkdtemp(join(tmpdir(), 'driftpatch-image-'));
    try {
      const tar = await bootstrap(scratch, apt.codename, oneLineSources(apt.sources, 'deb'), progress);
      progress({ name: 'write the guest image' });
      await makeFileSystem(scratch, tar, node, join(scratch, 'image'));
      await exec('cp', ['--sparse=always', join(scratch, 'image'), `${image}.part`]);
      await rename(`${image}.part`, image);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
    return image;
  });
}

async function bootstrap(scratch: string, suite: string, sources: string, progress: Progress): Promise<string> {
  const tar = join(scratch, 'root.tar');
  const list = join(scratch, 'sources.list');
  await writeFile(list, sources);
  const words = [
    '--variant=minbase',
    '--mode=auto',
    `--include=${packages.join(' ')}`,
    '--aptopt=APT::Install-Recommends "false"',
    ...leaveOut.map((glob) => `--dpkgopt=path-exclude=${glob}`),
  ];
  const name = 'fetch and unpack the guest root';
  let done = 0;
  progress({ name });
  const onLine = (line: string) => {
    if (/^(Get:|Unpacking |Setting up )/.test(line)) progress({ name, done: ++done, unit: 'steps' });
  };
  await exec('mmdebstrap', [...words, suite, tar, list], { env: { SOURCE_DATE_EPOCH: '0', TMPDIR: scratch }, onLine });
  return tar;
}

/** Unpack, add Node, and let mke2fs make a file system of it. Without root, fakeroot remembers who owns what. */
async function makeFileSystem(scratch: string, tar: string, node: string, image: string): Promise<void> {
  const root = join(scratch, 'root');
  await mkdir(root);
  const binary = join(scratch, 'node');
  await copyFile(node, binary);
  const script = `set -e
    tar -x --numeric-owner -C "$1" -f "$2" --exclude='./dev/*'
    install -m 755 "$3" "$1/usr/local/bin/node"
    mkdir -p "$1/project" "$1/mnt/share"
    rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*
    truncate -s 2G "$4"
    mke2fs -q -t ext4 -d "$1" -L driftpatch "$4"`;
  const shell = ['sh', '-c', script, 'sh', root, tar, binary, image];
  const words = process.getuid?.() === 0 ? shell : ['fakeroot', '--', ...shell];
  await exec(words[0]!, words.slice(1), { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
}
