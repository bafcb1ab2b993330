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

const LARGEST = 1024 * 1024 * 1024;

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
    return readFileSync(fd);
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
