// SPDX-License-Identifier: MIT
/**
 * The names of new code for perf: /tmp/perf-PID.map, one line "START SIZE NAME" in hex for each function (Linux,
 * tools/perf/Documentation/jit-interface.txt). PID is the process's id in its own pid namespace, and /tmp is its own too.
 *
 * What other writers have put there, a runtime that compiles just in time, stays. The folder is the target's and is not
 * trusted: no link is followed, and only a plain file is written.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { RuntimeError } from '../errors.js';
import { livingFolder } from '../proc/process.js';
import type { CodeSymbol } from './code-symbols.js';
import type { ProcessSymbols } from './symbols.js';

const { O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR } = {
  ...constants,
  // not among Node's constants; include/uapi/asm-generic/fcntl.h
  O_PATH: 0o10000000,
};

export const perfMapLines = (symbols: readonly CodeSymbol[]): string =>
  symbols.map(({ name, start, size }) => `${start.toString(16)} ${size.toString(16)} ${name}\n`).join('');

/** `before`, without what it says of the arenas, and then what is there now. */
export function mergedPerfMap(before: string, { patches }: ProcessSymbols): string {
  const isOurs = (line: string) => {
    const at = Number.parseInt(line, 16);
    return patches.some(({ start, end }) => at >= start && at < end);
  };
  const kept = before.split('\n').filter((line) => line !== '' && !isOurs(line));
  return [...kept.map((line) => `${line}\n`), ...patches.map(({ symbols }) => perfMapLines(symbols))].join('');
}

/** Writes it where perf looks for it; gives the path as the process sees it. */
export function writePerfMap(found: ProcessSymbols): string {
  const name = `perf-${found.innerPid}.map`;
  const path = `/tmp/${name}`;
  let folder: number | null = null;
  let file: number | null = null;
  try {
    const root = openSync(`${livingFolder(found.pid) ?? `/proc/${found.pid}`}/root`, O_PATH | O_DIRECTORY);
    try {
      folder = openSync(`/proc/self/fd/${root}/tmp`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    } finally {
      closeSync(root);
    }
    file = openSync(`/proc/self/fd/${folder}/${name}`, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644);
    if (!fstatSync(file).isFile()) throw Object.assign(new Error('not a plain file'), { code: 'not a plain file' });
    const text = Buffer.from(mergedPerfMap(readFileSync(file, 'utf8'), found));
    ftruncateSync(file);
    for (let done = 0; done < text.length; ) done += writeSync(file, text, done, text.length - done, done);
    return path;
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code;
    if (why === undefined) throw error;
    throw new RuntimeError('FILE_UNWRITABLE', { file: `${path} of process ${found.pid}`, why }, { cause: error });
  } finally {
    if (file !== null) closeSync(file);
    if (folder !== null) closeSync(folder);
  }
}
