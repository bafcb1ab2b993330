// SPDX-License-Identifier: MIT
// What the trial needs in the guest, put where the guest sees it: dist/demo/ of the checkout. Shared by demo and guest suite.

import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Progress } from '../../vm/index.js';
import { buildFix } from '../servers/build.js';
import { memcachedProgram } from '../servers/memcached.js';
import { demoFolder, fix, names } from './names.js';

export interface Prepared {
  /** On the host. */
  readonly folder: string;
  readonly version: string;
  readonly fixName: string;
}

export async function prepareFix(
  project: string,
  { progress, say }: { readonly progress?: Progress; readonly say?: (line: string) => void } = {},
): Promise<Prepared> {
  const pair = await buildFix(memcachedProgram, fix, { ...(progress && { progress }), ...(say && { say }) });
  const folder = demoFolder(project);
  for (const [from, name] of [
    [join(pair.old, 'memcached'), names.old],
    [join(pair.new, 'memcached'), names.new],
  ] as const)
    await copyWhole(from, join(folder, name));
  return { folder, version: memcachedProgram.version, fixName: pair.fixName };
}

export interface Planned {
  /** The command as a person would type it, in `folder`. */
  readonly command: string;
  readonly status: number | null;
  /** What it said, in colour. */
  readonly output: string;
}

/** `planner diff` on the two builds, now. */
export function planFix(project: string): Planned {
  const words = ['diff', names.old, names.new, '-o', names.patch];
  const env = { ...process.env, FORCE_COLOR: '1', NO_COLOR: '' };
  const cli = join(project, 'dist/planner/planner.js');
  const ran = spawnSync(process.execPath, [cli, ...words], { cwd: demoFolder(project), encoding: 'utf8', env });
  const output = `${ran.stdout}${ran.stderr}`.trimEnd();
  return { command: `planner ${words.join(' ')}`, status: ran.status, output };
}

async function copyWhole(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const part = `${to}.part-${process.pid}`;
  await copyFile(from, part);
  await rename(part, to);
}
