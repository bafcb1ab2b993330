// SPDX-License-Identifier: MIT
/**
 * Opens an ELF file: the only importer of elfy.
 *
 * elfy believes its input, so every header field it will follow is checked first; and elfy 1.0.0 reads sh_addralign and
 * sh_entsize from wrong offsets, so those two are read here. What leaves this file lies within the bytes given.
 */
import elfy, { type ElfyFile } from 'elfy';
import { isPrintable, printable } from '../printable.js';
import { checkBounds, LONGEST_SECTION_NAME, MOST_SECTIONS } from './bounds.js';
import { ElfError, type ElfErrorCode } from './error.js';
import { type ElfImage, loadImage, type RawImage } from './image.js';
import type { Section } from './sections.js';

const HEADER = 64;
const SECTION_HEADER = 64;
const PROGRAM_HEADER = 56;
const ET_REL = 1;
const ET_EXEC = 2;
const ET_DYN = 3;
const EM_X86_64 = 62;
const SHT_NOBITS = 8;

/** A separate debug file, as it was found or given. */
export interface DebugFile {
  /** What messages call it. */
  readonly name: string;
  /** null if there is only what dwz took out of the file itself. */
  readonly bytes: Uint8Array | null;
  /** What dwz took out of several files (.gnu_debugaltlink). */
  readonly shared?: { readonly name: string; readonly bytes: Uint8Array };
}

export interface OpenOptions {
  /** `required` (the default): a file without .symtab, in its debug file either, is an error. */
  readonly symbols?: 'required' | 'optional';
  readonly debug?: DebugFile | null;
}

/** The file as an image; throws ElfError. `file` is what messages call it. */
export function openElf(bytes: Uint8Array, file: string, options: OpenOptions = {}): ElfImage {
  const raw = openParts(bytes, file);
  const { debug } = options;
  const part = (bytesOf: Uint8Array, name: string) => openParts(bytesOf, name, 'any');
  return loadImage(raw, options.symbols ?? 'required', {
    file: debug?.bytes ? part(debug.bytes, debug.name) : null,
    shared: debug?.shared ? part(debug.shared.bytes, debug.shared.name) : null,
  });
}

/** Sections and segments, checked; `any` takes relocatable objects as well. Throws ElfError. */
export function openParts(bytes: Uint8Array, file: string, types: 'linked' | 'any' = 'linked'): RawImage {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkHeader(buffer, file, types === 'any');
  checkTables(buffer, file);
  let parsed: ElfyFile;
  try {
    parsed = elfy.parse(buffer);
  } catch (cause) {
    throw new ElfError('HEADER', {
      file,
      place: 'section and program headers',
      expected: 'tables that can be followed',
      found: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
  const sections = parsed.body.sections.map((section, index) => repaired(buffer, file, section, index));
  checkBounds(file, buffer.length, sections);
  const segments = parsed.body.programs.map((program) => ({
    type: program.type ?? '',
    address: program.vaddr,
    memorySize: program.memsz,
    align: program.align,
  }));
  return { file, bytes, kind: buffer.readUInt16LE(16) === ET_EXEC ? 'exec' : 'dyn', sections, segments };
}

function checkHeader(buffer: Buffer, file: string, relocatable: boolean): void {
  const fail = (code: ElfErrorCode, place: string, expected: string, found: string, advice?: string): never => {
    throw new ElfError(code, { file, place, expected, found, ...(advice ? { advice } : {}) });
  };
  if (buffer.length < 4 || buffer.readUInt32BE(0) !== 0x7f454c46) {
    const start = buffer.subarray(0, 4).toString('hex');
    fail(
      'NOT_ELF',
      'offset 0',
      '7f454c46',
      buffer.length === 0 ? 'an empty file' : start,
      'give an executable or a shared library',
    );
  }
  if (buffer.length < HEADER)
    fail('TRUNCATED', 'the ELF header', `${HEADER} bytes`, `${buffer.length}`, 'copy the file again');
  if (buffer[4] !== 2) fail('CLASS', 'offset 4', '2 (64-bit)', `${buffer[4]}`);
  if (buffer[5] !== 1) fail('ENDIAN', 'offset 5', '1 (little-endian)', `${buffer[5]}`);
  const machine = buffer.readUInt16LE(18);
  if (machine !== EM_X86_64) fail('MACHINE', 'offset 18', `${EM_X86_64} (x86-64)`, `${machine}`);
  const type = buffer.readUInt16LE(16);
  if (type !== ET_EXEC && type !== ET_DYN && !(relocatable && type === ET_REL)) {
    const names: Record<number, string> = { 1: 'a relocatable object', 4: 'a core file' };
    fail(
      'TYPE',
      'offset 16',
      '2 (executable) or 3 (shared)',
      `${type}${names[type] ? ` (${names[type]})` : ''}`,
      'give the linked file',
    );
  }
}

function checkTables(buffer: Buffer, file: string): void {
  const wrong = (place: string, expected: string, found: string): never => {
    throw new ElfError('HEADER', { file, place, expected, found, advice: 'the file is damaged' });
  };
  const table = (name: string, at: bigint, count: number, size: number, entry: number) => {
    if (count > 0 && size !== entry) wrong(`${name} entry size`, `${entry}`, `${size}`);
    if (at + BigInt(count * entry) > BigInt(buffer.length)) {
      throw new ElfError('TRUNCATED', {
        file,
        place: `${name} table at offset ${at}`,
        expected: `${count} entries of ${entry} bytes`,
        found: `a file of ${buffer.length} bytes`,
        advice: 'copy the file again',
      });
    }
  };
  const shoff = buffer.readBigUInt64LE(40);
  const shnum = buffer.readUInt16LE(60);
  table('program header', buffer.readBigUInt64LE(32), buffer.readUInt16LE(56), buffer.readUInt16LE(54), PROGRAM_HEADER);
  table('section header', shoff, shnum, buffer.readUInt16LE(58), SECTION_HEADER);
  if (shoff === 0n || shnum === 0) wrong('section headers', 'at least one', 'none');
  if (shnum > MOST_SECTIONS) wrong('section headers', `at most ${MOST_SECTIONS}`, `${shnum}`);
  const names = buffer.readUInt16LE(62);
  if (names >= shnum) wrong('section name table', `an index below ${shnum}`, `${names}`);
  for (let i = 0; i < shnum; i++) {
    const at = Number(shoff) + i * SECTION_HEADER;
    const type = buffer.readUInt32LE(at + 4);
    const [offset, size, address] = [24, 32, 16].map((field) => buffer.readBigUInt64LE(at + field)) as [
      bigint,
      bigint,
      bigint,
    ];
    const inFile = type === SHT_NOBITS || type === 0 ? 0n : size;
    if (type !== SHT_NOBITS && type !== 0 && offset + inFile > BigInt(buffer.length)) {
      throw new ElfError('TRUNCATED', {
        file,
        place: `section ${i}`,
        expected: `${size} bytes at offset ${offset}`,
        found: `a file of ${buffer.length} bytes`,
        advice: 'copy the file again',
      });
    }
    if (address + size >= 1n << 47n)
      wrong(`section ${i}`, 'an address below 2^47', `0x${(address + size).toString(16)}`);
  }
  const type = buffer.readUInt32LE(Number(shoff) + names * SECTION_HEADER + 4);
  if (type !== 3) wrong('section name table', 'a string table', `section type ${type}`);
  const [start, size] = [24, 32].map((field) =>
    Number(buffer.readBigUInt64LE(Number(shoff) + names * SECTION_HEADER + field)),
  ) as [number, number];
  const nameTable = buffer.subarray(start, start + size);
  for (let i = 0; i < shnum; i++) {
    const at = buffer.readUInt32LE(Number(shoff) + i * SECTION_HEADER);
    if (at < size && nameTable.subarray(at, at + LONGEST_SECTION_NAME).indexOf(0) >= 0) continue;
    wrong(`section ${i}`, `a name of at most ${LONGEST_SECTION_NAME} bytes`, `none at ${at} of the name table`);
  }
}

function repaired(buffer: Buffer, file: string, section: ElfyFile['body']['sections'][number], index: number): Section {
  const at = Number(buffer.readBigUInt64LE(40)) + index * SECTION_HEADER;
  const type = buffer.readUInt32LE(at + 4);
  const align = buffer.readBigUInt64LE(at + 48);
  const entrySize = buffer.readBigUInt64LE(at + 56);
  if (align > 1n << 30n || (align & (align - 1n)) !== 0n || entrySize > 1n << 30n)
    throw new ElfError('SECTION', {
      file,
      place: `section ${index} (${section.name})`,
      expected: 'an alignment that is a power of two and a sane entry size',
      found: `alignment ${align}, entry size ${entrySize}`,
      advice: 'the file is damaged',
    });
  if (!isPrintable(section.name))
    throw new ElfError('SECTION', {
      file,
      place: `section ${index}`,
      expected: 'a name without control characters',
      found: printable(section.name),
      advice: 'the file is damaged',
    });
  return {
    index,
    name: section.name,
    type,
    flags: Number(buffer.readBigUInt64LE(at + 8) & 0xffffffffn),
    address: section.addr,
    offset: section.off,
    size: section.size,
    link: section.link,
    info: section.info,
    align: Math.max(1, Number(align)),
    entrySize: Number(entrySize),
    bytes:
      type === SHT_NOBITS || type === 0
        ? new Uint8Array(0)
        : new Uint8Array(section.data.buffer, section.data.byteOffset, section.data.length),
  };
}
