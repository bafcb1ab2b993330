// SPDX-License-Identifier: MIT
// Everything that a guest needs, made or found: system packages, kernels, the guest's root. Warm, this takes under a second.
// Used by vm, test and demo; `node dist/zx-scripts/setup.js` does it ahead of time.

import { fileURLToPath } from 'node:url';
import {
  type BuiltKernel,
  buildImage,
  buildKernel,
  checkHookSeries,
  type Flavour,
  type GuestRoot,
  type Progress,
} from '../vm/index.js';
import { type ShownProgress, showProgress } from './show-progress.js';
import { ensurePackages, forGuest, forImage, forKernel } from './system-packages.js';

/** The checkout: this file runs as dist/zx-scripts/setup.js. */
export const projectFolder = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
export const kernelTree = `${projectFolder}/kernel-tree`;

export async function ensureKernel(flavour: Flavour, shown: ShownProgress): Promise<BuiltKernel> {
  await ensurePackages(forKernel, shown.say);
  return buildKernel({ kernelTree, flavour, progress: shown.onStep });
}

/** The kernel's source is unpacked, and the hook series applies to it; it is not built. */
export async function ensureSeries(shown: ShownProgress): Promise<{ patches: number; files: number }> {
  await ensurePackages(forKernel, shown.say);
  return checkHookSeries(kernelTree, shown.onStep);
}

export async function ensureRoot(kind: GuestRoot['kind'], shown: ShownProgress): Promise<GuestRoot> {
  if (kind === 'host') return { kind };
  await ensurePackages(forImage, shown.say);
  const progress: Progress = shown.onStep;
  return { kind, file: await buildImage({ progress }) };
}

export async function ensureQemu(shown: ShownProgress): Promise<void> {
  await ensurePackages(forGuest, shown.say);
}

/** One message for all packages of a job, before the first long step. */
export async function setUp(flavours: readonly Flavour[], shown: ShownProgress = showProgress()) {
  await ensurePackages([...forKernel, ...forGuest, ...forImage], shown.say);
  const kernels = new Map<Flavour, BuiltKernel>();
  for (const flavour of flavours) kernels.set(flavour, await ensureKernel(flavour, shown));
  const root = await ensureRoot('image', shown);
  shown.end();
  return { kernels, root };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { kernels, root } = await setUp(['plain', 'debug']);
  for (const { flavour, bzImage } of kernels.values()) process.stdout.write(`${flavour} kernel: ${bzImage}\n`);
  if (root.kind === 'image') process.stdout.write(`guest root: ${root.file}\n`);
}
