// SPDX-License-Identifier: MIT
// Our kernel files put into a kernel source tree. kernel-tree/ holds new files at their kernel paths, and hooks into existing
// files as a series of patches. Both together say what every touched file must contain; only files that differ from that
// are written, so that make rebuilds no more than what changed.
//
// Invariant: `originals/` holds the untouched content of every file that the series has ever touched, so the tree can be
// brought from any state of kernel-tree/ to any other without unpacking again.

import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { exists, filesBelow, writeWhole } from './cache.js';
import { VmError } from './errors.js';
import { exec } from './exec.js';
import type { KernelSource } from './kernel-source.js';

/** What in kernel-tree/ is about the kernel but does not go into its tree: some folders, and the files at the top. */
const notKernelFiles = /^(patches|config|man)\/|^[^/]+$/;

export interface KernelFiles {
  /** Absolute paths of the series, in the order of application. */
  readonly patches: readonly string[];
  /** New files, relative to kernel-tree/ as to the kernel's tree. */
  readonly files: readonly string[];
}

export async function readKernelTree(kernelTree: string): Promise<KernelFiles> {
  const all = await filesBelow(kernelTree);
  return {
    patches: all.filter((file) => /^patches\/[^/]+\.patch$/.test(file)).map((file) => join(kernelTree, file)),
    files: all.filter((file) => !notKernelFiles.test(file)),
  };
}

/** Bring the tree to what kernel-tree/ says. Gives the paths that were written or removed. */
export async function syncSeries(source: KernelSource, kernelTree: string): Promise<string[]> {
  const tree = join(source.home, 'tree');
  const originals = join(source.home, 'originals');
  const record = join(source.home, 'synced.json');
  const before: string[] = JSON.parse(await readFile(record, 'utf8').catch(() => '[]'));
  const { patches, files } = await readKernelTree(kernelTree);

  const touched = await touchedBy(patches);
  // Noted before the first write: after an interruption the next sync still knows what may need to be undone.
  await writeWhole(record, JSON.stringify([...new Set([...before, ...touched, ...files])]));
  for (const path of touched) await saveOriginal(tree, originals, path, before.includes(path));
  const scratch = await mkdtemp(join(tmpdir(), 'driftpatch-series-'));
  try {
    await applySeries(patches, touched, originals, scratch);
    for (const path of files) await put(join(kernelTree, path), join(scratch, path));
    const wanted = new Set([...touched, ...files]);
    const changed: string[] = [];
    for (const path of wanted) if (await update(join(scratch, path), join(tree, path))) changed.push(path);
    for (const path of before.filter((path) => !wanted.has(path)))
      if (await update(join(originals, path), join(tree, path))) changed.push(path);
    await writeWhole(record, JSON.stringify([...wanted].sort()));
    return changed;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Does the series apply? Needs only the files that it touches, as they are without us. Writes nothing into the tree. */
export async function checkSeries(
  source: KernelSource,
  kernelTree: string,
): Promise<{ patches: number; files: number }> {
  const { patches } = await readKernelTree(kernelTree);
  const touched = await touchedBy(patches);
  const ours: string[] = JSON.parse(await readFile(join(source.home, 'synced.json'), 'utf8').catch(() => '[]'));
  const scratch = await mkdtemp(join(tmpdir(), 'driftpatch-series-'));
  try {
    const originals = join(scratch, 'originals');
    for (const path of touched) {
      const kept = join(source.home, 'originals', path);
      const inTree = join(source.home, 'tree', path);
      if (await exists(kept)) await put(kept, join(originals, path));
      else if (!ours.includes(path) && (await exists(inTree))) await put(inTree, join(originals, path));
    }
    await applySeries(patches, touched, originals, join(scratch, 'tree'));
    return { patches: patches.length, files: touched.length };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The files that the patches name, existing or new. */
async function touchedBy(patches: readonly string[]): Promise<string[]> {
  const paths = new Set<string>();
  for (const patch of patches) {
    const text = await readFile(patch, 'utf8');
    for (const match of text.matchAll(/^(?:---|\+\+\+) [ab]\/(\S+)/gm)) paths.add(match[1]!);
  }
  return [...paths].sort();
}

async function saveOriginal(tree: string, originals: string, path: string, isOurs: boolean): Promise<void> {
  if (isOurs || (await exists(join(originals, path))) || !(await exists(join(tree, path)))) return;
  await put(join(tree, path), join(originals, path));
}

async function applySeries(patches: readonly string[], touched: readonly string[], originals: string, to: string) {
  await mkdir(to, { recursive: true });
  for (const path of touched) if (await exists(join(originals, path))) await put(join(originals, path), join(to, path));
  for (const patch of patches) {
    const words = ['-p1', '--forward', '--no-backup-if-mismatch', '--reject-file=-', '-d', to, '-i', patch];
    await exec('patch', words).catch((cause) => {
      if (!(cause instanceof VmError) || cause.code !== 'TOOL_FAILED') throw cause;
      throw new VmError('SERIES_DOES_NOT_APPLY', { where: patch, what: cause.facts.what }, { cause });
    });
  }
}

async function put(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}

/** Make `to` equal to `from`, or absent if that is absent. False if it was so already. */
async function update(from: string, to: string): Promise<boolean> {
  const [wanted, found] = await Promise.all([from, to].map((path) => readFile(path).catch(() => null)));
  if (!wanted) {
    if (found) await rm(to);
    return found !== null;
  }
  if (found?.equals(wanted)) return false;
  await put(from, to);
  return true;
}
