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
import { openElf } from '../../planner/elf/open.js';
import { diff, readPatch, writePatch } from '../../planner/index.js';
import { compileOnce, scratchFolder } from './helpers.js';
import { runPatched } from './patched.js';

const test = suite('matrix');
const sources = fileURLToPath(new URL('../../../tests/planner/fixtures/matrix/', import.meta.url));

type Language = 'c' | 'cpp';
interface Way {
  readonly compiler: 'gcc' | 'clang';
  readonly kind: 'pie' | 'exec' | 'shared';
  readonly flags: readonly string[];
  /** Built twice: the second time with the profile of a run. */
  readonly profiled?: boolean;
}

const KIND_FLAGS = {
  pie: ['-fPIE', '-pie'],
  exec: ['-fno-pie', '-no-pie'],
  shared: ['-fPIC', '-shared', '-DLIBRARY'],
} as const;

/** The old and the new program; for a library also what calls it. */
function build(language: Language, { compiler, kind, flags, profiled = false }: Way, name: string) {
  const driver = language === 'c' ? compiler : compiler === 'gcc' ? 'g++' : 'clang++';
  const output = (which: string) => join(scratchFolder(), `${name}-${which}`.replace(/[^\w.-]+/g, '_'));
  const common = ['-g', '-w', '-Wl,--build-id', ...KIND_FLAGS[kind], ...flags];
  const [old, now] = ['old', 'new'].map((which) => {
    const file = output(`${which}${kind === 'shared' ? '.so' : ''}`);
    const define = which === 'new' ? ['-DNEW'] : [];
    const source = join(sources, `work.${language}`);
    if (profiled) {
      buildWithProfile(driver, [...common, ...define], source, file);
      return file;
    }
    if (kind !== 'shared') compileOnce(driver, [...common, ...define, source], source, file);
    else execFileSync(driver, [...common, ...define, `-Wl,-soname,${file}`, '-o', file, source]);
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

/** What a run shows to be cold gets parts of its own, whatever the source says. */
function buildWithProfile(driver: string, flags: readonly string[], source: string, file: string): void {
  for (const profile of ['-fprofile-generate', '-fprofile-use']) {
    execFileSync(driver, [...flags, profile, '-c', source, '-o', `${file}.o`]);
    execFileSync(driver, [...flags, profile, `${file}.o`, '-o', file]);
    if (profile === '-fprofile-generate') execFileSync(file, { stdio: 'ignore' });
  }
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
  // what is inlined where depends on the profile, and on what the linker sees
  const free = way.profiled || way.flags.includes('-fuse-ld=lld');
  if (language === 'c' && !free) assert.equal(modified.sort(), CHANGED_C);
  if (way.profiled) assert.ok(coldParts(old) > 0, 'no cold parts');
  const patch = readPatch(writePatch(result.patch!));
  const wanted = execFileSync(program.now, { encoding: 'utf8' });
  const found = (await runPatched(program.old, patch)).split('\n');
  const differs = found.map((line, i) => [line, wanted.split('\n')[i]]).filter(([line, other]) => line !== other);
  assert.equal(differs.slice(0, 5), [], `${differs.length} lines differ from what the new program prints`);
}

const coldParts = (file: string): number =>
  openElf(readFileSync(file), file).symbols.filter(({ name }) => name.endsWith('.cold')).length;

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
  const name = `${language} ${compiler} ${kind} ${flags.join(' ')}${way.profiled ? ' profiled' : ''}`;
  test(`${name}: the old program with the patch does what the new one does`, () => check(language, way, name));
}

// `npm run check` has a minute, and tries each kind once; `npm test` each kind of each compiler, and each group of flags once
const full = process.env.DRIFTPATCH_TESTS === 'long';
const usual = full || process.env.DRIFTPATCH_TESTS === 'usual';
if (!full) console.log('skipped: most of the matrix; npm test -- --long runs it all');
// without its linker plug-in clang's -flto links with LLVM's linker alone
const hasLld = has('ld.lld');
if (full && !hasLld) console.log('skipped: clang with -flto; install the package lld');
const wanted = (compiler: string, flags: readonly string[]) => compiler === 'gcc' || !flags.includes('-flto') || hasLld;
const withLinker = (compiler: string, flags: readonly string[]) =>
  compiler === 'clang' && flags.includes('-flto') ? [...flags, '-fuse-ld=lld'] : flags;
const compilers = (['gcc', 'clang'] as const).filter((compiler) => (usual || compiler === 'gcc') && has(compiler));
if (usual && !compilers.includes('clang')) console.log('skipped: what clang emits; install the package clang');

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
function flagsFor(compiler: string, kind: string): typeof FLAGS {
  if (full || (usual && compiler === 'gcc' && kind === 'pie')) return FLAGS;
  return FLAGS.slice(0, usual && compiler === 'clang' ? 2 : 1);
}
for (const compiler of compilers)
  for (const language of ['c', 'cpp'] as const)
    for (const kind of ['pie', 'exec', 'shared'] as const)
      for (const flags of flagsFor(compiler, kind))
        if (wanted(compiler, flags)) declare(language, { compiler, kind, flags: withLinker(compiler, flags) });

for (const language of ['c', 'cpp'] as const)
  for (const kind of ['pie', 'exec'] as const)
    if (usual || (language === 'c' && kind === 'pie'))
      for (const flags of full ? [['-O2'], ['-O3', '-freorder-blocks-and-partition']] : [['-O2']])
        declare(language, { compiler: 'gcc', kind, flags, profiled: true });

// an unwinder of its own, which no dynamic symbol names
for (const compiler of compilers)
  for (const kind of ['pie', 'exec', 'shared'] as const)
    if (usual || kind === 'pie')
      declare('cpp', { compiler, kind, flags: ['-O2', '-static-libgcc', '-static-libstdc++'] });

test.run();
