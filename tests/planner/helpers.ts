// SPDX-License-Identifier: MIT
/** What several planner suites need: fixtures compiled on the spot, golden files, and the shared corpus if it is there. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import type { ElfImage } from '../../planner/elf/image.js';
import { type DiffOptions, type DiffResult, diff } from '../../planner/index.js';
import { cacheFolder, hashOf } from '../../vm/index.js';
import { compareGolden } from './golden.js';

/** The folder of this suite's sources, seen from dist/tests/planner. */
const sources = fileURLToPath(new URL('../../../tests/planner/', import.meta.url));
const root = fileURLToPath(new URL('../../../', import.meta.url));

let scratch: string | null = null;

/** A folder that is gone when the process ends. */
export function scratchFolder(): string {
  if (scratch === null) {
    const folder = mkdtempSync(join(tmpdir(), 'driftpatch-planner-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    scratch = folder;
  }
  return scratch;
}

export interface Build {
  /** Flags for both files, for the old one, for the new one. */
  readonly flags?: readonly string[];
  readonly old?: readonly string[];
  readonly new?: readonly string[];
  /** Instead of gcc or g++. */
  readonly compiler?: string;
}

export interface Pair {
  readonly oldPath: string;
  readonly newPath: string;
  readonly old: Uint8Array;
  readonly new: Uint8Array;
}

const COMMON = ['-O2', '-g', '-fPIE', '-pie', '-Wl,--build-id', '-fcf-protection=none', '-w'];
const built = new Map<string, Pair>();
/** Output by arguments: many pairs share their old file. */
const compiled = new Map<string, string>();

/** fixtures/NAME compiled twice, the second time with -DNEW. */
export function compilePair(name: string, build: Build = {}): Pair {
  const key = `${name} ${JSON.stringify(build)}`;
  const known = built.get(key);
  if (known) return known;
  const source = join(sources, 'fixtures', name);
  const compile = (which: 'old' | 'new') => {
    const define = which === 'new' ? ['-DNEW'] : [];
    const compiler = build.compiler ?? (name.endsWith('.cpp') ? 'g++' : 'gcc');
    const args = [...COMMON, ...define, ...(build.flags ?? []), ...(build[which] ?? []), source];
    const known = compiled.get(`${compiler} ${args.join(' ')}`);
    if (known !== undefined) return known;
    const output = join(scratchFolder(), `${compiled.size}-${name}.${which}`);
    compileOnce(compiler, args, source, output);
    compiled.set(`${compiler} ${args.join(' ')}`, output);
    return output;
  };
  const [oldPath, newPath] = [compile('old'), compile('new')];
  const pair = { oldPath, newPath, old: readFileSync(oldPath), new: readFileSync(newPath) };
  built.set(key, pair);
  return pair;
}

/** By the compiler's name: what it and the linker say of themselves. */
const versions = new Map<string, string>();

/**
 * Compiles, or takes what an earlier run made of the same source with the same compiler, linker, C library and arguments. Fixtures
 * include no files but the system's.
 */
export function compileOnce(compiler: string, args: readonly string[], source: string, output: string): void {
  const say = (command: string, ...words: string[]) => execFileSync(command, words, { encoding: 'utf8' });
  const version =
    versions.get(compiler) ??
    `${say(compiler, '--version')} ${say('ld', '--version')} ${say('getconf', 'GNU_LIBC_VERSION')}`;
  versions.set(compiler, version);
  const kept = cacheFolder('fixtures', hashOf(version, ...args, readFileSync(source)));
  // an included file is not looked at, and with split debugging information there is more than one output
  const canKeep = !readFileSync(source, 'utf8').includes('#include "') && !args.includes('-gsplit-dwarf');
  if (canKeep && existsSync(kept)) {
    copyFileSync(kept, output);
    return;
  }
  execFileSync(compiler, [...args, '-o', output]);
  if (!canKeep) return;
  // several suites at once may make the same
  mkdirSync(dirname(kept), { recursive: true });
  const part = `${kept}.${process.pid}`;
  copyFileSync(output, part);
  renameSync(part, kept);
}

export const diffPair = (pair: Pair, options: DiffOptions = {}): DiffResult =>
  diff(pair.old, pair.new, { oldName: 'program', newName: 'program.new', name: 'fix', ...options });

/** What of a result is worth keeping: no addresses, sizes or times, which change with the compiler. */
export function summary(result: DiffResult): unknown {
  const { functions, data, refusals, notes, differs } = result;
  return {
    differs,
    functions: functions.map(({ name, change }) => `${change} ${name}`),
    data: data.map(({ name, change, section }) => `${change} ${name} in ${section}`),
    refusals: refusals.map(({ code, symbol }) => `${code} ${symbol}`),
    notes: notes.map(({ code, symbol }) => `${code} ${symbol}`),
  };
}

/** Compares with expected/NAME.json; UPDATE_GOLDEN=1 writes it instead. */
export function golden(name: string, actual: unknown): void {
  compareGolden(join(sources, 'expected', `${name}.json`), actual, name);
}

const corpusArchive = (program: string): string =>
  join(process.env.DRIFTPATCH_CORPUS || join(root, '../shared/corpus'), `${program}.tar.zst`);

/** Real fixes are not part of a clone: suites that use them declare their tests with `.skip` where they are absent. */
export const hasCorpus = (program: string): boolean => existsSync(corpusArchive(program));

/** Old and new build of a fix in the shared corpus, which must be there. */
export function corpusPair(program: string, fix: string): Pair {
  const archive = corpusArchive(program);
  const folder = join(scratchFolder(), program);
  if (!existsSync(folder)) {
    const list = execFileSync(
      'sh',
      ['-c', 'zstd -dc --long=31 "$0" | tar -x -C "$1" && ls "$1"', archive, scratchFolder()],
      {
        encoding: 'utf8',
      },
    );
    assert.match(list, program);
  }
  const name = execFileSync('ls', [folder], { encoding: 'utf8' })
    .split('\n')
    .find((entry) => entry.startsWith(fix));
  if (name === undefined) throw new Error(`no fix ${fix} in the corpus of ${program}`);
  const [oldPath, newPath] = ['old', 'new'].map((side) => join(folder, name, side, program)) as [string, string];
  return { oldPath, newPath, old: readFileSync(oldPath), new: readFileSync(newPath) };
}

/** The bytes of .text. */
export function textOf(image: ElfImage): Uint8Array {
  const text = image.sections.find(({ name }) => name === '.text');
  if (text === undefined) throw new Error(`${image.file} has no .text`);
  return text.bytes;
}
