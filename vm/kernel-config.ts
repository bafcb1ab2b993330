// SPDX-License-Identifier: MIT
// The kernel's configuration: tinyconfig plus our fragments. Kconfig drops silently what it cannot satisfy; here every line of
// a fragment must be found again in the result, or the build stops and names it.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from './cache.js';
import { VmError } from './errors.js';
import { exec } from './exec.js';

export async function configure(tree: string, objects: string, fragments: readonly string[]): Promise<void> {
  const make = (target: string) => exec('make', ['-s', '-C', tree, `O=${objects}`, target]);
  const config = join(objects, '.config');
  const before = await readFile(config, 'utf8').catch(() => null);
  await make('tinyconfig');
  const merge = ['scripts/kconfig/merge_config.sh', '-m', '-O', objects, config, ...fragments];
  await exec('sh', merge, { cwd: tree });
  await make('olddefconfig');
  const after = await readFile(config, 'utf8');
  const missing = missingLines(after, await Promise.all(fragments.map((path) => readFile(path, 'utf8'))));
  if (missing.length > 0) {
    // What is left behind must not look like a configuration that somebody can build.
    await writeWhole(config, before ?? '');
    throw new VmError('CONFIG_NOT_SET', { where: fragments.join(', '), what: missing.map((l) => `  ${l}`).join('\n') });
  }
}

/** The lines of the fragments that do not hold in a final configuration. A later fragment overrides an earlier one. */
export function missingLines(config: string, fragments: readonly string[]): string[] {
  const wanted = new Map<string, string>();
  for (const line of fragments.join('\n').split('\n')) {
    const name = /^(CONFIG_\w+)=/.exec(line)?.[1] ?? /^# (CONFIG_\w+) is not set$/.exec(line)?.[1];
    if (name) wanted.set(name, line.trim());
  }
  const has = new Set(config.split('\n'));
  // A symbol that does not exist at all is as good as one that is not set.
  return [...wanted]
    .filter(([name, line]) => !(line.endsWith('=n') || line.startsWith('#') ? isOff(has, name) : has.has(line)))
    .map(([, line]) => line);
}

const isOff = (lines: Set<string>, name: string) => ![`${name}=y`, `${name}=m`].some((line) => lines.has(line));
