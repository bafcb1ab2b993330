// SPDX-License-Identifier: MIT
// Part of `npm run build`: each command in one file. Node spends most of a short command's time on opening and linking a few hundred small
// modules; where the processor is emulated that is seconds. The packages we depend on stay what they are, and are loaded from node_modules.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { projectFolder } from './setup.js';

/** Entry and bundle, relative to dist/. Both lie equally deep: what is found by its place beside them is found from either. */
const commands = [
  ['planner/cli.js', 'planner/planner.js'],
  ['runtime/cli.js', 'runtime/driftpatch.js'],
] as const;

export async function bundle(entry: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    sourcemap: true,
    logLevel: 'warning',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const inDist = (path: string) => join(projectFolder, 'dist', path);
  await Promise.all(commands.map(([entry, outfile]) => bundle(inDist(entry), inDist(outfile))));
}
