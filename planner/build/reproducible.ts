// SPDX-License-Identifier: MIT
/** Two builds of one source, held against each other: which files differ, in which sections, and what is there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openElf } from '../elf/open.js';
import { isLoaded, type Section } from '../elf/sections.js';
import { printable } from '../printable.js';

export interface DifferentSection {
  readonly name: string;
  /** Offset in the section of the first byte that differs. */
  readonly offset: number;
  /** What is there in the first and the second build: text if it is, else hex. */
  readonly first: string;
  readonly second: string;
  /** It is in the process; notes and debugging information are not. */
  readonly matters: boolean;
}

export interface Difference {
  readonly path: string;
  readonly sections: readonly DifferentSection[];
}

/** The differing ones of `paths`, below both roots. */
export function differencesOf(first: string, second: string, paths: readonly string[]): Difference[] {
  return paths.flatMap((path) => {
    const [a, b] = [readFileSync(join(first, path)), readFileSync(join(second, path))];
    return a.equals(b) ? [] : [{ path, sections: sectionsThatDiffer(a, b, path) }];
  });
}

function sectionsThatDiffer(a: Uint8Array, b: Uint8Array, path: string): DifferentSection[] {
  const [old, now] = [a, b].map((bytes) => openElf(bytes, path, { symbols: 'optional' }).sections) as [
    readonly Section[],
    readonly Section[],
  ];
  const byName = new Map(now.map((section) => [section.name, section]));
  return old.flatMap((section) => {
    const other = byName.get(section.name)?.bytes ?? new Uint8Array(0);
    const offset = firstDifference(section.bytes, other);
    if (offset === null) return [];
    const matters = isLoaded(section) && !section.name.startsWith('.note');
    return [
      { name: section.name, offset, first: around(section.bytes, offset), second: around(other, offset), matters },
    ];
  });
}

function firstDifference(a: Uint8Array, b: Uint8Array): number | null {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) if (a[i] !== b[i]) return i;
  return a.length === b.length ? null : common;
}

/** The text that the byte is in, if it is in one. */
function around(bytes: Uint8Array, offset: number): string {
  const isText = (byte: number | undefined) => byte !== undefined && byte >= 0x20 && byte < 0x7f;
  let start = offset;
  let end = offset;
  while (offset - start < 32 && isText(bytes[start - 1])) start--;
  while (end - offset < 32 && isText(bytes[end])) end++;
  if (end - start >= 4) return printable(JSON.stringify(Buffer.from(bytes.subarray(start, end)).toString('latin1')));
  return Buffer.from(bytes.subarray(offset, offset + 8)).toString('hex') || 'nothing';
}
