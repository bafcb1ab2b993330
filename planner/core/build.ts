// SPDX-License-Identifier: MIT
/**
 * Builds the core: AssemblyScript to WebAssembly, then binaryen's optimiser, into core.wasm beside the compiled build
 * script, and the same in base64 as a module, core-bytes.js, which is what load.ts imports. A hash of everything that
 * goes in is kept beside them; when it has not changed, nothing is done.
 *
 * A build script, run by `npm run build`; nothing imports it.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import binaryen from 'binaryen';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../../../', import.meta.url));
const sources = join(root, 'planner/core/assembly');
const output = join(here, 'core.wasm');
const bytesModule = join(here, 'core-bytes.js');
const stamp = join(here, 'core.wasm.inputs');

const inputs = inputHash();
if (stampOf() !== inputs) {
  mkdirSync(here, { recursive: true });
  const wasm = optimise(await compile());
  writeFileSync(output, wasm);
  writeFileSync(bytesModule, `export const coreBytes =\n  '${Buffer.from(wasm).toString('base64')}';\n`);
  writeFileSync(stamp, inputs);
}

/** A hash over the sources, this script, and the versions of both compilers. */
function inputHash(): string {
  const hash = createHash('sha256');
  const add = (path: string) => hash.update(path).update(readFileSync(join(root, path)));
  for (const name of readdirSync(sources).sort()) add(`planner/core/assembly/${name}`);
  add('planner/core/build.ts');
  add('node_modules/assemblyscript/package.json');
  add('node_modules/binaryen/package.json');
  return hash.digest('hex');
}

function stampOf(): string | null {
  try {
    for (const made of [output, bytesModule]) readFileSync(made);
    return readFileSync(stamp, 'utf8');
  } catch {
    return null;
  }
}

async function compile(): Promise<Uint8Array> {
  let wasm: Uint8Array | null = null;
  const { error, stderr } = await asc.main(
    [
      'index.ts',
      '--outFile',
      'core.wasm',
      '--runtime',
      'stub',
      '--noAssert',
      '--optimizeLevel',
      '1',
      '--initialMemory',
      '1',
      '--enable',
      'simd',
    ],
    {
      readFile: (name, base) => {
        try {
          return readFileSync(join(base === '.' ? sources : join(sources, base), name), 'utf8');
        } catch {
          return null;
        }
      },
      writeFile: (_name, contents) => {
        wasm = contents as unknown as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error || wasm === null) throw new Error(`the core does not compile:\n${stderr.toString()}`, { cause: error });
  return wasm;
}

function optimise(wasm: Uint8Array): Uint8Array {
  const module = binaryen.readBinary(wasm);
  module.setFeatures(module.getFeatures() | binaryen.Features.SIMD128);
  binaryen.setOptimizeLevel(3);
  binaryen.setShrinkLevel(0);
  module.optimize();
  if (!module.validate()) throw new Error('the optimised core is not valid WebAssembly');
  const bytes = module.emitBinary();
  module.dispose();
  return bytes;
}
