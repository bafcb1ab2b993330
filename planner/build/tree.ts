// SPDX-License-Identifier: MIT
/** Folders full of files: what is in them, which of it is ELF, and whether they stayed as they were. Writes nothing. */
import { closeSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

export interface TreeFile {
  /** From the tree's root, with slashes. */
  readonly path: string;
  readonly size: number;
  readonly modifiedMs: number;
}

const EM_X86_64 = 62;

/** Regular files, sorted; version control is passed over, links are not followed. */
export function filesOf(root: string): TreeFile[] {
  const files: TreeFile[] = [];
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop())
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !/^\.(git|hg|svn)$/.test(entry.name)) folders.push(path);
      if (!entry.isFile()) continue;
      const { size, mtimeMs } = lstatSync(join(root, path));
      files.push({ path, size, modifiedMs: mtimeMs });
    }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Seconds since 1970 of the newest file: what SOURCE_DATE_EPOCH becomes. */
export const newestSecond = (files: readonly TreeFile[]): number =>
  Math.floor(files.reduce((newest, { modifiedMs }) => Math.max(newest, modifiedMs), 0) / 1000);

/** The first file that is not as it was, or null. */
export function firstChange(before: readonly TreeFile[], after: readonly TreeFile[]): string | null {
  const known = new Map(before.map((file) => [file.path, file]));
  for (const { path, size, modifiedMs } of after) {
    const was = known.get(path);
    if (was === undefined || was.size !== size || was.modifiedMs !== modifiedMs) return path;
    known.delete(path);
  }
  return known.keys().next().value ?? null;
}

/** What a file is to us: something that is linked and runs, something that will be linked, or neither. */
export function kindOf(path: string): 'linked' | 'object' | null {
  const head = Buffer.alloc(64);
  const fd = openSync(path, 'r');
  try {
    if (readSync(fd, head, 0, 64, 0) < 20) return null;
  } finally {
    closeSync(fd);
  }
  if (head.subarray(0, 8).toString('latin1') === '!<arch>\n') return 'object';
  if (head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head.readUInt16LE(18) !== EM_X86_64) return null;
  const type = head.readUInt16LE(16);
  return type === 1 ? 'object' : type === 2 || type === 3 ? 'linked' : null;
}
