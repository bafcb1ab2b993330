// SPDX-License-Identifier: MIT
// The cache outside the checkout. Everything in it is named by a hash of what went into it, so nothing there is ever
// stale: what changed has another name. Deleting the folder costs time and nothing else.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `$XDG_CACHE_HOME/driftpatch`, or `~/.cache/driftpatch`. */
export function cacheFolder(...inside: string[]): string {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(base, 'driftpatch', ...inside);
}

/** A short name for a list of inputs. Their borders count: ('ab','c') and ('a','bc') differ. */
export function hashOf(...parts: (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}

/** The hash of a big file's content, remembered by its path, size and time of change. */
export async function hashOfFile(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path);
  const memo = cacheFolder('hashes', hashOf(path, String(size), String(mtimeMs)));
  const known = await readFile(memo, 'utf8').catch(() => null);
  if (known) return known;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  const digest = hash.digest('hex').slice(0, 16);
  await writeWhole(memo, digest);
  return digest;
}

/** Write a file so that nobody ever sees half of it. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  const part = `${path}.part-${process.pid}`;
  await writeFile(part, content);
  await rename(part, path);
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Every regular file below a folder, as sorted paths relative to it. A folder that is not there has none. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
    .sort();
}
