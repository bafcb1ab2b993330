// SPDX-License-Identifier: MIT
// Build the project's kernel: source ──> series and files put in ──> configured ──> made, out of tree, one object folder per
// flavour. What went in is hashed; if the hash is that of the last build, nothing at all is done.

import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { exists, filesBelow, hashOf, writeWhole } from './cache.js';
import { exec } from './exec.js';
import { configure } from './kernel-config.js';
import { checkSeries, syncSeries } from './kernel-series.js';
import { type KernelSource, locateSource, prepareSource } from './kernel-source.js';
import { withLock } from './lock.js';
import { type Progress, silent } from './progress.js';

/** `stock` is the plain kernel without views, to be compared with it. */
export type Flavour = 'plain' | 'debug' | 'stock';

const fragments: Record<Flavour, readonly string[]> = {
  plain: ['guest.config'],
  debug: ['guest.config', 'debug.config'],
  stock: ['guest.config', 'stock.config'],
};

/** Objects of a full build, for a progress bar that has no earlier build to go by. */
const usualObjects: Record<Flavour, number> = { plain: 1550, debug: 1600, stock: 1540 };

/** Parts of kernel-tree/ that cannot change the kernel's image. */
const outsideTheBuild = /^(man|tools|Documentation)\/|^[^/]+$/;

export interface KernelOptions {
  /** The folder kernel-tree/. */
  readonly kernelTree: string;
  readonly flavour: Flavour;
  readonly progress?: Progress;
}

export interface BuiltKernel {
  readonly bzImage: string;
  readonly vmlinux: string;
  readonly flavour: Flavour;
  readonly builtNow: boolean;
}

export async function buildKernel({ kernelTree, flavour, progress = silent }: KernelOptions): Promise<BuiltKernel> {
  const { id, home } = await locateSource();
  const objects = join(home, flavour);
  const bzImage = join(objects, 'arch/x86/boot/bzImage');
  const vmlinux = join(objects, 'vmlinux');
  const stamp = join(objects, 'driftpatch.stamp');
  const key = hashOf(id, flavour, await hashOfTree(kernelTree), (await exec('gcc', ['--version'])).stdout);
  const isCurrent = async () =>
    (await readFile(stamp, 'utf8').catch(() => '')).trim() === key &&
    (await exists(bzImage)) &&
    (await exists(vmlinux));
  if (await isCurrent()) return { bzImage, vmlinux, flavour, builtNow: false };

  const onWait = () => progress({ name: 'wait for another build of the kernel' });
  return withLock(`${home}.lock`, onWait, async () => {
    if (await isCurrent()) return { bzImage, vmlinux, flavour, builtNow: false };
    await withSource(home, progress, async (source) => {
      progress({ name: 'apply the hook series' });
      await syncSeries(source, kernelTree);
    });
    await mkdir(objects, { recursive: true });
    progress({ name: `configure the ${flavour} kernel` });
    const paths = fragments[flavour].map((name) => join(kernelTree, 'config', name));
    await configure(join(home, 'tree'), objects, paths);
    await make(join(home, 'tree'), objects, flavour, progress);
    await writeWhole(stamp, key);
    return { bzImage, vmlinux, flavour, builtNow: true };
  });
}

/** Does the hook series apply to the kernel's source? Unpacks that if need be, builds nothing, and waits for no build. */
export async function checkHookSeries(kernelTree: string, progress: Progress = silent) {
  const { home } = await locateSource();
  return withSource(home, progress, (source) => checkSeries(source, kernelTree));
}

/** A lock of its own, held for seconds and inside the build's: whoever only looks at the source need not wait for make. */
function withSource<T>(home: string, progress: Progress, work: (source: KernelSource) => Promise<T>): Promise<T> {
  const onWait = () => progress({ name: "wait for somebody else's use of the kernel source" });
  return withLock(`${home}.source.lock`, onWait, async () => work(await prepareSource(progress)));
}

async function hashOfTree(kernelTree: string): Promise<string> {
  const parts: (string | Uint8Array)[] = [];
  for (const path of (await filesBelow(kernelTree)).filter((path) => !outsideTheBuild.test(path)))
    parts.push(path, await readFile(join(kernelTree, path)));
  return hashOf(...parts);
}

/** make, with a count of the objects that it compiles. The same inputs give the same image: no time, no names in it. */
async function make(tree: string, objects: string, flavour: Flavour, progress: Progress): Promise<void> {
  const name = `build the ${flavour} kernel`;
  // A first build has a known length; a later one is as long as what changed, which only make knows.
  const total = (await exists(join(objects, 'vmlinux'))) ? undefined : usualObjects[flavour];
  let done = 0;
  progress({ name, done, unit: 'objects', ...(total && { total }) });
  const onLine = (line: string) => {
    if (!/^ {2}(CC|AS) /.test(line)) return;
    done++;
    progress({ name, done, unit: 'objects', ...(total && { total: Math.max(total, done) }) });
  };
  const reproducible = {
    KBUILD_BUILD_TIMESTAMP: 'Thu Jan  1 00:00:00 UTC 1970',
    KBUILD_BUILD_USER: 'driftpatch',
    KBUILD_BUILD_HOST: 'driftpatch',
  };
  const words = ['-C', tree, `O=${objects}`, `-j${availableParallelism()}`, 'bzImage'];
  await exec('nice', ['make', ...words], { env: reproducible, onLine });
}
