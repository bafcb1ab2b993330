// SPDX-License-Identifier: MIT
// The planner with its core in plain TypeScript instead of WebAssembly, to measure what WebAssembly is worth. There is one source of the core:
// apart from assembly/memory.ts it is such that `tsc` makes JavaScript of it that means the same. Here that is done, in a copy
// of the compiled planner.

import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from '../../vm/index.js';
import { bundle } from '../bundle.js';
import { projectFolder } from '../setup.js';

const folder = 'bench-plain';

/** Makes it; gives the command's file relative to dist/. */
export async function buildPlainPlanner(): Promise<string> {
  const planner = join(projectFolder, 'dist', folder, 'planner');
  await rm(planner, { recursive: true, force: true });
  await cp(join(projectFolder, 'dist/planner'), planner, { recursive: true });
  const sources = join(planner, 'core/assembly-sources');
  await mkdir(sources);
  const assembly = join(projectFolder, 'planner/core/assembly');
  for (const name of await readdir(assembly))
    if (name !== 'memory.ts')
      await writeFile(join(sources, name), plainSource(await readFile(join(assembly, name), 'utf8')));
  const compiled = join(planner, 'core/assembly');
  const tsc = join(projectFolder, 'node_modules/typescript/bin/tsc');
  const options = ['--ignoreConfig', '--noCheck', '--target', 'ES2023', '--module', 'ESNext', '--outDir', compiled];
  const files = (await readdir(sources)).map((name) => join(sources, name));
  await exec(process.execPath, [tsc, ...options, ...files]);
  await cp(join(projectFolder, 'dist/zx-scripts/bench/plain-memory.js'), join(compiled, 'memory.js'));
  await writeFile(
    join(planner, 'core/instance.js'),
    [
      "import * as core from './assembly/index.js';",
      "import { grow, plainCore } from './assembly/memory.js';",
      'export const instantiate = () => plainCore(core);',
      'export { grow };\n',
    ].join('\n'),
  );
  await bundle(planner, 'planner');
  return `${folder}/planner/planner.js`;
}

/** Without decorators, with extensions on imports, and with the module that stands for AssemblyScript's `memory`. */
function plainSource(source: string): string {
  const plain = source.replace(/^@inline\n/gm, '').replace(/ from '(\.\/[\w-]+)'/g, " from '$1.js'");
  return /\bmemory\.data\b/.test(plain) ? `import { memory } from './memory.js';\n${plain}` : plain;
}
