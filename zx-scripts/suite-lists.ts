// SPDX-License-Identifier: MIT
// Which suites there are. The sources decide, not dist/: a suite whose source is gone must not run any more, and one that was
// not compiled must not be missing unnoticed.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Flavour, filesBelow } from '../vm/index.js';

/** Where unit suites live. Each of these folders must have one. */
export const unitFolders = [
  'planner',
  'runtime',
  'vm',
  'load',
  'demo',
  'bench',
  'evaluate',
  'foreign',
  'repo',
] as const;

/** The compiled suites below tests/FOLDER whose path contains `pattern`. */
async function suitesBelow(project: string, folder: string, pattern: string): Promise<string[]> {
  const sources = (await filesBelow(join(project, 'tests', folder))).filter((path) => path.endsWith('.test.ts'));
  if (sources.length === 0) throw new RangeError(`expected suites (*.test.ts) below tests/${folder}, found none`);
  return sources
    .filter((path) => `${folder}/${path}`.includes(pattern))
    .map((path) => {
      const file = join(project, 'dist/tests', folder, path.replace(/\.ts$/, '.js'));
      if (!existsSync(file))
        throw new RangeError(`expected ${file}, compiled from tests/${folder}/${path}: npm run build`);
      return file;
    });
}

/**
 * Those that say `// long` near their top come first, so that none of them is left running alone at the end. `quick`: without them, for
 * they take too long for `npm run check`.
 */
export async function unitSuites(project: string, pattern = '', quick = false): Promise<string[]> {
  const all = (await Promise.all(unitFolders.map((folder) => suitesBelow(project, folder, pattern)))).flat();
  const isLong = (file: string) => /^\/\/ long\b/m.test(readFileSync(file, 'utf8'));
  const [long, short] = [all.filter(isLong), all.filter((file) => !isLong(file))];
  return quick ? short : [...long, ...short];
}

/**
 * Suites by the kernel that they ask for, in comments near their top: `// guest: plain debug`, or `// guest: plain` and
 * `// guest, --long: debug` for a suite that takes too long on the debug kernel to run there each time.
 */
export type Guests = ReadonlyMap<Flavour, readonly string[]>;

/** Suites that run in the guest; all of one kernel's share a boot. */
export const guestSuites = (project: string, pattern = '', long = false): Promise<Guests> =>
  byFlavour(project, 'guest', pattern, long);

/** Suites that run on the host and boot guests themselves. */
export const runnerSuites = (project: string, pattern = '', long = false): Promise<Guests> =>
  byFlavour(project, 'runner', pattern, long);

async function byFlavour(project: string, folder: string, pattern: string, long: boolean): Promise<Guests> {
  const found = new Map<Flavour, string[]>();
  for (const file of await suitesBelow(project, folder, pattern))
    for (const flavour of flavoursOf(file, long)) found.set(flavour, [...(found.get(flavour) ?? []), file]);
  return found;
}

function flavoursOf(file: string, long: boolean): Flavour[] {
  const source = readFileSync(file, 'utf8');
  const words = (line: RegExp) => line.exec(source)?.[1]?.split(' ') ?? [];
  const always = words(/^\/\/ guest: ([a-z ]+)$/m);
  const flavours = [...always, ...words(/^\/\/ guest, --long: ([a-z ]+)$/m)];
  const wrong = flavours.find((flavour) => flavour !== 'plain' && flavour !== 'debug');
  if (always.length === 0 || wrong !== undefined)
    throw new RangeError(`${file}: expected a line "// guest: plain", "debug" or both, found ${wrong ?? 'none'}`);
  return (long ? flavours : always) as Flavour[];
}
