// SPDX-License-Identifier: MIT
/** Files in and out for the command line: bounded reading, and writing that leaves either the whole file or none. */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Workspace } from './core/workspace.js';

const LARGEST = 1024 * 1024 * 1024;
/** One call reads no more than this. */
const MOST_AT_ONCE = 2 ** 30;

const rows = {
  UNREADABLE: 'cannot be read',
  NOT_A_FILE: 'not a regular file',
  TOO_LARGE: 'too large',
  NOT_ELF: 'not an ELF file',
  UNWRITABLE: 'cannot be written',
} as const;

export class FileError extends Error {
  override readonly name = 'FileError';
  readonly code: keyof typeof rows;

  constructor(code: keyof typeof rows, path: string, detail: string, cause?: unknown) {
    super(`${path}: ${rows[code]}: ${detail}`, { cause });
    this.code = code;
  }
}

/** The bytes of an ELF file. What is no ELF file at all is found out before the rest of it is read. */
export function readElfFile(path: string): Uint8Array {
  return withElfFile(path, (fd) => readFileSync(fd));
}

/** Several files in one memory, so that nobody has to copy them there; as `readElfFile` does if they are too large for that. */
export function readElfFiles(paths: readonly string[]): {
  readonly files: Uint8Array[];
  readonly workspace: Workspace | null;
} {
  const sizes = paths.map((path) => withElfFile(path, (_, size) => size));
  const workspace = Workspace.forFiles(sizes.reduce((sum, size) => sum + size, 0));
  const files = paths.map((path, i) => (workspace === null ? readElfFile(path) : readInto(workspace, path, sizes[i]!)));
  return { files, workspace };
}

function readInto(workspace: Workspace, path: string, expected: number): Uint8Array {
  return withElfFile(path, (fd, size) => {
    // it may have been replaced since; then the one that is there now is as good
    if (size > expected) return readFileSync(fd);
    const bytes = workspace.takeBytes(size);
    let at = 0;
    while (at < size) {
      const count = readSync(fd, bytes, at, Math.min(size - at, MOST_AT_ONCE), at);
      if (count === 0) break;
      at += count;
    }
    return bytes.subarray(0, at);
  });
}

function withElfFile<T>(path: string, use: (fd: number, size: number) => T): T {
  let fd: number;
  try {
    // a pipe without a writer must not hold us up
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new FileError('UNREADABLE', path, systemReason(cause), cause);
  }
  try {
    const info = fstatSync(fd);
    if (!info.isFile())
      throw new FileError(
        'NOT_A_FILE',
        path,
        `expected an ELF file, found ${info.isDirectory() ? 'a directory' : 'a device or pipe'}`,
      );
    const magic = Buffer.alloc(4);
    const count = readSync(fd, magic, 0, 4, 0);
    if (count < 4 || magic.readUInt32BE(0) !== 0x7f454c46)
      throw new FileError(
        'NOT_ELF',
        path,
        `offset 0: expected 7f454c46, found ${count === 0 ? 'an empty file' : magic.toString('hex', 0, count)}`,
      );
    if (info.size > LARGEST)
      throw new FileError('TOO_LARGE', path, `expected at most ${LARGEST} bytes, found ${info.size}`);
    return use(fd, info.size);
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError('UNREADABLE', path, systemReason(error), error);
  } finally {
    closeSync(fd);
  }
}

/** Writes to a temporary name in the same folder and renames. */
export function writeWhole(path: string, bytes: Uint8Array): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const fd = openSync(temporary, 'wx', 0o644);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new FileError('UNWRITABLE', path, systemReason(cause), cause);
  }
}

const systemReason = (error: unknown): string =>
  error instanceof Error ? ('code' in error ? `${error.code}` : error.message) : String(error);
