// SPDX-License-Identifier: MIT
// Part of `npm run build`: each command in few files. Node spends most of a short command's time on opening and linking a few hundred small
// modules; where the processor is emulated that is seconds. What a command loads only when it is needed lies apart, in parts/. The packages
// we depend on stay what they are, and are loaded from node_modules.

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { projectFolder } from './setup.js';

/** Below dist/: a folder, and what the command in it is called. */
const commands = [
  ['planner', 'planner'],
  ['runtime', 'driftpatch'],
] as const;

/** `cli.js` of this folder, as NAME.js and parts/. What is there already is not written again: somebody may be running it. */
export async function bundle(folder: string, name: string): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: { [name]: join(folder, 'cli.js') },
    outdir: folder,
    chunkNames: 'parts/[name]-[hash]',
    bundle: true,
    splitting: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    sourcemap: true,
    logLevel: 'warning',
  });
  const parts = join(folder, 'parts');
  await mkdir(parts, { recursive: true });
  for (const { path, contents } of outputFiles) {
    const there = await readFile(path).catch(() => null);
    if (!there?.equals(contents)) await writeFile(path, contents);
  }
  const made = new Set(outputFiles.map(({ path }) => path));
  for (const old of await readdir(parts)) if (!made.has(join(parts, old))) await rm(join(parts, old));
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await Promise.all(commands.map(([folder, name]) => bundle(join(projectFolder, 'dist', folder), name)));
