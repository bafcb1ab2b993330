// SPDX-License-Identifier: MIT
/**
 * What the patch files are called. FIX-TARGET.drift, of the patch's and the target's file names, in the folder that -o names or the
 * current one; or exactly what -o names if there is but one to write. A patch's own name is its file's without `.drift`.
 */
import { basename, join } from 'node:path';

const LONGEST = 64;

/** A name that a patch may have: [A-Za-z0-9._+-]{1,64}. */
export function patchNameOf(file: string): string {
  const name = basename(file)
    .replace(/\.drift$/, '')
    .replace(/[^A-Za-z0-9._+-]/g, '-');
  return name.slice(0, LONGEST) || 'patch';
}

/** One file name for each target, all different. */
export function outputNames(patchFile: string, targets: readonly string[]): string[] {
  const fix = patchNameOf(basename(patchFile).replace(/\.(patch|diff)$/, ''));
  const taken = new Set<string>();
  return targets.map((target) => {
    const short = basename(target);
    const shared = targets.filter((other) => basename(other) === short).length > 1;
    const own = patchNameOf(shared ? target.replaceAll('/', '-') : short).slice(0, LONGEST - 2);
    let name = `${fix.slice(0, LONGEST - 1 - own.length)}-${own}`;
    for (let i = 2; taken.has(name); i++) name = `${name.slice(0, LONGEST - 1 - `${i}`.length)}-${i}`;
    taken.add(name);
    return `${name}.drift`;
  });
}

/** Paths to write to: `output` is a folder, or the one file. */
export function outputPaths(
  output: { readonly path: string; readonly isFolder: boolean } | null,
  patchFile: string,
  targets: readonly string[],
): string[] {
  if (output !== null && !output.isFolder) return targets.map(() => output.path);
  return outputNames(patchFile, targets).map((name) => join(output?.path ?? '', name));
}
