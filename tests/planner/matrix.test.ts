// SPDX-License-Identifier: MIT
// timeout: 600
/**
 * What compilers make of two small programs, in every usual way: the diff finds what changed and nothing else, the patch is
 * written, and the old program with the patch in it prints what the new one prints.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { diff, readPatch, writePatch } from '../../planner/index.js';
import { scratchFolder } from './helpers.js';
import { runPatched } from './patched.js';

const test = suite('matrix');
const sources = fileURLToPath(new URL('../../../tests/planner/fixtures/matrix/', import.meta.url));

type Language = 'c' | 'cpp';
interface Way {
  readonly compiler: 'gcc' | 'clang';
  readonly kind: 'pie' | 'exec' | 'shared';
  readonly flags: readonly string[];
}

const KIND_FLAGS = {
  pie: ['-fPIE', '-pie'],
  exec: ['-fno-pie', '-no-pie'],
  shared: ['-fPIC', '-shared', '-DLIBRARY'],
} as const;

/** The old and the new program; for a library also what calls it. */
function build(language: Language, { compiler, kind, flags }: Way, name: string) {
  const driver = language === 'c' ? compiler : compiler === 'gcc' ? 'g++' : 'clang++';
  const output = (which: string) => join(scratchFolder(), `${name}-${which}`.replace(/[^\w.-]+/g, '_'));
  const common = ['-g', '-w', '-Wl,--build-id', ...KIND_FLAGS[kind], ...flags];
  const [old, now] = ['old', 'new'].map((which) => {
    const file = output(`${which}${kind === 'shared' ? '.so' : ''}`);
    const define = which === 'new' ? ['-DNEW'] : [];
    const source = join(sources, `work.${language}`);
    execFileSync(driver, [
      ...common,
      ...define,
      ...(kind === 'shared' ? [`-Wl,-soname,${file}`] : []),
      '-o',
      file,
      source,
    ]);
    return file;
  }) as [string, string];
  if (kind !== 'shared') return { old, now, program: { old, now } };
  const [oldMain, newMain] = [old, now].map((library, i) => {
    const file = output(i === 0 ? 'old' : 'new');
    const define = language === 'cpp' ? ['-DCPLUSPLUS'] : [];
    execFileSync('gcc', ['-O1', ...define, '-o', file, join(sources, 'main.c'), library]);
    return file;
  }) as [string, string];
  return { old, now, program: { old: oldMain, now: newMain } };
}

const CHANGED_C =
  'address_of_pick area checked grow identity jumpy local numbers outside pick remember say summed'.split(' ');

async function check(language: Language, way: Way, name: string): Promise<void> {
  const { old, now, program } = build(language, way, name);
  const result = diff(readFileSync(old), readFileSync(now), { oldName: old, newName: now });
  assert.equal(
    result.refusals.map(({ message }) => message),
    [],
  );
  const modified = result.functions
    .filter(({ change }) => change === 'modified')
    .map((fn) => fn.name.replace(/\.lto_priv.*|\.constprop.*/, ''));
  if (language === 'c') assert.equal(modified.sort(), CHANGED_C);
  const patch = readPatch(writePatch(result.patch!));
  const wanted = execFileSync(program.now, { encoding: 'utf8' });
  const found = (await runPatched(program.old, patch)).split('\n');
  const differs = found.map((line, i) => [line, wanted.split('\n')[i]]).filter(([line, other]) => line !== other);
  assert.equal(differs.slice(0, 5), [], `${differs.length} lines differ from what the new program prints`);
}

const has = (command: string): boolean => {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

function declare(language: Language, way: Way): void {
  const { compiler, kind, flags } = way;
  const name = `${language} ${compiler} ${kind} ${flags.join(' ')}`;
  test(`${name}: the old program with the patch does what the new one does`, () => check(language, way, name));
}

// `npm run check` has a minute, and tries each kind once
const full = process.env.DRIFTPATCH_MATRIX === 'full';
if (!full) console.log('skipped: most of the matrix; npm test runs it all');
// without its linker plug-in clang's -flto does not link
const wanted = (compiler: string, flags: readonly string[]) => compiler === 'gcc' || !flags.includes('-flto');
const compilers = (['gcc', 'clang'] as const).filter((compiler) => (full || compiler === 'gcc') && has(compiler));
if (full && !compilers.includes('clang')) console.log('skipped: what clang emits; install the package clang');

const SECTIONS = ['-ffunction-sections', '-fdata-sections'];
const FLAGS: readonly (readonly string[])[] = [
  ['-O2'],
  ['-O0'],
  ['-O1'],
  ['-O3'],
  ['-O2', ...SECTIONS],
  ['-O2', ...SECTIONS, '-Wl,--emit-relocs'],
  ['-O2', '-Wl,--emit-relocs'],
  ['-O2', '-flto'],
];
for (const compiler of compilers)
  for (const language of ['c', 'cpp'] as const)
    for (const kind of ['pie', 'exec', 'shared'] as const)
      for (const flags of full ? FLAGS : FLAGS.slice(0, 1))
        if (wanted(compiler, flags)) declare(language, { compiler, kind, flags });

// an unwinder of its own, which no dynamic symbol names
for (const compiler of compilers)
  for (const kind of ['pie', 'exec', 'shared'] as const)
    if (full || kind === 'pie')
      declare('cpp', { compiler, kind, flags: ['-O2', '-static-libgcc', '-static-libstdc++'] });

test.run();
