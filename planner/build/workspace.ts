// SPDX-License-Identifier: MIT
/**
 * Where builds happen: one folder of our own under the system's for temporary files, with a copy of the source at always the same
 * path, because paths become part of what is built. The user's folder is read and never written.
 */
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import { BuildError } from './error.js';
import { mustRun, type ToolOptions } from './tools.js';

export interface Workspace {
  /** Holds everything else, logs and results; removed by `remove`. */
  readonly root: string;
  /** Where the source is copied to and built, each time. */
  readonly place: string;
}

/** `place`: where to build instead of in a folder of our own; it must not exist, and is removed in the end. */
export function makeWorkspace(source: string, place: string | null): Workspace {
  const temporary = realpathSync(tmpdir());
  const home = resolve(place ?? temporary);
  if (`${home}${sep}`.startsWith(`${realpathSync(source)}${sep}`))
    throw new BuildError(
      'WORK_FOLDER',
      home,
      `it is inside of ${source}, which is copied; set TMPDIR to another folder`,
    );
  if (place !== null && existsSync(place))
    throw new BuildError('WORK_FOLDER', place, 'expected a path where nothing is yet');
  const root = mkdtempSync(join(temporary, 'driftpatch-build-'));
  return { root, place: place === null ? join(root, 'source') : home };
}

/** A fresh copy of the source at the workspace's place. */
export async function copySource(source: string, { place }: Workspace, options: ToolOptions): Promise<void> {
  mkdirSync(place, { recursive: true });
  await mustRun(['cp', '-a', '--reflink=auto', `${source}/.`, place], options);
}

/** Puts what was built aside, as `root`/NAME, and gives its path. */
export async function setAside({ root, place }: Workspace, name: string, options: ToolOptions): Promise<string> {
  const aside = join(root, name);
  await mustRun(['mv', place, aside], options);
  return aside;
}

export function removeWorkspace({ root, place }: Workspace): void {
  for (const folder of [place, root]) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
