// SPDX-License-Identifier: MIT
/**
 * Separate debug files: what a stripped file says about where its symbols and its debugging information went, and whether a file
 * is the one. A build id decides; without one the CRC that .gnu_debuglink gives. A debug file's sections are numbered as in the
 * file from before it was stripped, so sections are recognised by name and address.
 */
import { crc32 } from 'node:zlib';
import { ElfError } from './error.js';
import { buildIdOf } from './notes.js';
import { isLoaded, type Section } from './sections.js';
import { stringAt, viewOf } from './symbols.js';

const SHT_SYMTAB = 2;

export interface DebugWish {
  readonly buildId: string | null;
  /** .gnu_debuglink: a file name without folders, and the CRC of its bytes. */
  readonly link: { readonly name: string; readonly crc: number } | null;
  /** .gnu_debugaltlink, made by dwz: a path, and the build id of that file. */
  readonly shared: { readonly name: string; readonly buildId: string } | null;
  readonly hasSymbols: boolean;
  readonly hasDebugInfo: boolean;
}

export function debugWishOf(sections: readonly Section[]): DebugWish {
  return {
    buildId: buildIdOf(sections),
    link: linkIn(sections),
    shared: sharedIn(sections),
    hasSymbols: sections.some(({ type }) => type === SHT_SYMTAB),
    hasDebugInfo: hasDebugInfo(sections),
  };
}

export const hasDebugInfo = (sections: readonly Section[]): boolean =>
  sections.some(({ name, bytes }) => /^\.z?debug_info$/.test(name) && bytes.length > 0);

function linkIn(sections: readonly Section[]): DebugWish['link'] {
  const bytes = sections.find(({ name }) => name === '.gnu_debuglink')?.bytes;
  if (!bytes || bytes.length < 8) return null;
  const name = stringAt(bytes, 0);
  const at = (Buffer.byteLength(name) + 4) & ~3;
  if (name === '' || /[/\0]/.test(name) || at + 4 > bytes.length) return null;
  return { name, crc: viewOf(bytes).getUint32(at, true) };
}

function sharedIn(sections: readonly Section[]): DebugWish['shared'] {
  const bytes = sections.find(({ name }) => name === '.gnu_debugaltlink')?.bytes;
  const end = bytes ? bytes.indexOf(0) : -1;
  if (!bytes || end <= 0) return null;
  return { name: stringAt(bytes, 0), buildId: Buffer.from(bytes.subarray(end + 1)).toString('hex') };
}

/** Throws ElfError unless `debug` is the debug file of what wishes for one. */
export function checkDebugFile(file: string, wish: DebugWish, debug: DebugPart): void {
  const { file: name, bytes } = debug;
  const wrong = (place: string, expected: string, found: string) => {
    throw new ElfError('DEBUG_MISMATCH', {
      file: name,
      place,
      expected: `${expected}, which ${file} has`,
      found,
      advice: 'give the debug file that was made with it',
    });
  };
  const buildId = buildIdOf(debug.sections);
  if (wish.buildId !== null && buildId !== null) {
    if (buildId !== wish.buildId) wrong('build id', wish.buildId, buildId);
  } else if (wish.link !== null) {
    const crc = crc32(bytes);
    if (crc !== wish.link.crc) wrong('CRC', `0x${wish.link.crc.toString(16)}`, `0x${crc.toString(16)}`);
  } else wrong('notes', `a build id or a .gnu_debuglink`, 'neither in both');
}

export interface DebugPart {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly sections: readonly Section[];
}

/** Number of a section in the debug file → in the file itself; 0 for what is not there. */
export function sectionNumbers(own: readonly Section[], debug: readonly Section[]): (index: number) => number {
  const known = new Map(own.filter(isLoaded).map(({ name, address, index }) => [`${name} ${address}`, index]));
  const numbers = debug.map(({ name, address }) => known.get(`${name} ${address}`) ?? 0);
  // reserved numbers, absolute for one, mean the same everywhere
  return (index) => (index < debug.length ? numbers[index]! : index);
}
