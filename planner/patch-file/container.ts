// SPDX-License-Identifier: MIT
/**
 * The patch file as an ELF container: header and sections, nothing of what is in them.
 *
 * It is stricter than ELF: every field has the value that a writer of patch files gives it, and sections follow each other, so
 * no byte belongs to two of them, and what they take together is no more than the file.
 */
import { printableText } from '../printable.js';
import { PatchFileError } from './error.js';
import { EHDR, EM_X86_64, ET_REL, LIMITS, SHDR, SHN_LORESERVE, SHT } from './format.js';

export interface RawSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entrySize: number;
  /** A part of the file, not a copy; empty for NOBITS. */
  readonly bytes: Uint8Array;
}

/** `place` may be a name from the file, and empty. */
export const damaged = (place: string, expected: string, found: string): PatchFileError =>
  new PatchFileError('DAMAGED', place || 'a section without a name', expected, found);

/** All sections, the empty first one included; throws PatchFileError. */
export function readSections(file: Uint8Array): RawSection[] {
  const view = viewOf(file);
  const { table, count, namesIndex } = readHeader(file, view);
  const headers: SectionHeader[] = [];
  let end = EHDR;
  for (let index = 0; index < count; index++) {
    const header = readSectionHeader(file, view, table + index * SHDR, index, end, table);
    if (header.bytes.length > 0) end = header.offset + header.size;
    headers.push(header);
  }
  const { nameAt, type, offset, size, link, info, align, flags, entrySize } = headers[0]!;
  if ([nameAt, type, offset, size, link, info, align, flags, entrySize].some((field) => field !== 0))
    throw damaged('section 0', 'zeros', 'other values');
  const names = headers[namesIndex];
  if (names === undefined || names.type !== SHT.strtab)
    throw damaged('ELF header', 'a section name table', `section ${namesIndex}`);
  return headers.map((header) => named(header, stringAt(names.bytes, header.nameAt, `section ${header.index}`)));
}

type SectionHeader = Omit<RawSection, 'name'> & { readonly nameAt: number };

/** Field by field: spreading hundreds of objects takes longer than all the rest. */
function named(header: SectionHeader, name: string): RawSection {
  const { index, type, flags, offset, size, link, info, align, entrySize, bytes } = header;
  return { index, name, type, flags, offset, size, link, info, align, entrySize, bytes };
}

function readHeader(file: Uint8Array, view: DataView) {
  if (file.length > LIMITS.fileBytes)
    throw new PatchFileError('TOO_LARGE', 'file', `at most ${LIMITS.fileBytes} bytes`, `${file.length}`);
  if (file.length < 4 || view.getUint32(0) !== 0x7f454c46)
    throw new PatchFileError(
      'NOT_A_PATCH',
      'offset 0',
      'an ELF object',
      file.length === 0 ? 'an empty file' : 'other bytes',
    );
  if (file.length < EHDR) throw new PatchFileError('TRUNCATED', 'ELF header', `${EHDR} bytes`, `${file.length}`);
  const isObject =
    file[4] === 2 && file[5] === 1 && view.getUint16(16, true) === ET_REL && view.getUint16(18, true) === EM_X86_64;
  if (!isObject)
    throw new PatchFileError(
      'NOT_A_PATCH',
      'ELF header',
      'a relocatable object for x86-64',
      'another kind of ELF file',
    );
  const table = view.getBigUint64(40, true);
  const count = view.getUint16(60, true);
  const fixed: [string, number | bigint, number | bigint][] = [
    ['identification', view.getBigUint64(8, true) + BigInt(file[6]! - 1 + file[7]! * 256), 0n],
    ['version', view.getUint32(20, true), 1],
    ['entry', view.getBigUint64(24, true), 0n],
    ['program headers', view.getBigUint64(32, true) + BigInt(view.getUint32(54, true)), 0n],
    ['flags', view.getUint32(48, true), 0],
    ['header size', view.getUint16(52, true), EHDR],
    ['section header size', view.getUint16(58, true), SHDR],
    ['section header offset modulo 8', table % 8n, 0n],
  ];
  for (const [what, found, expected] of fixed)
    if (found !== expected) throw damaged('ELF header', `${what} ${expected}`, `${found}`);
  const end = table + BigInt(count * SHDR);
  if (end > BigInt(file.length))
    throw new PatchFileError('TRUNCATED', 'section headers', `${count} at ${table}`, `a file of ${file.length} bytes`);
  if (count < 2 || count >= SHN_LORESERVE || table < EHDR || end < BigInt(file.length))
    throw damaged('section headers', 'at the end of the file', `${count} at ${table} of ${file.length}`);
  return { table: Number(table), count, namesIndex: view.getUint16(62, true) };
}

function readSectionHeader(file: Uint8Array, view: DataView, at: number, index: number, after: number, table: number) {
  const place = `section ${index}`;
  const type = view.getUint32(at + 4, true);
  const [flags, address, offset, size, align, entrySize] = [8, 16, 24, 32, 48, 56].map((field) => {
    const value = view.getBigUint64(at + field, true);
    if (value > BigInt(LIMITS.memoryBytes)) throw damaged(place, 'fields in range', `${value}`);
    return Number(value);
  }) as [number, number, number, number, number, number];
  if (address !== 0) throw damaged(place, 'no address', `0x${address.toString(16)}`);
  const inFile = type === SHT.nobits || type === 0 ? 0 : size;
  if (inFile > 0 && offset + inFile > file.length)
    throw new PatchFileError('TRUNCATED', place, `${size} bytes at ${offset}`, `a file of ${file.length} bytes`);
  if (inFile > 0 && (offset < after || offset + inFile > table))
    throw damaged(place, `an offset from ${after}, behind the section before it`, `${offset}`);
  if (align > LIMITS.align || (align & (align - 1)) !== 0 || (inFile > 0 && offset % Math.max(1, align) !== 0))
    throw damaged(place, 'an alignment that its offset has', `${align} at offset ${offset}`);
  return {
    index,
    nameAt: view.getUint32(at, true),
    type,
    flags,
    offset,
    size,
    link: view.getUint32(at + 40, true),
    info: view.getUint32(at + 44, true),
    align,
    entrySize,
    bytes: inFile > 0 ? file.subarray(offset, offset + inFile) : new Uint8Array(0),
  };
}

/** The NUL-terminated text at `at`: valid UTF-8 without control characters, since it will be printed. */
export function stringAt(table: Uint8Array, at: number, place: string): string {
  const reach = table.subarray(Math.min(at, table.length), at + LIMITS.name + 1);
  const end = reach.indexOf(0);
  if (end < 0) throw damaged(place, `a name of at most ${LIMITS.name} bytes in the string table`, `offset ${at}`);
  const text = printableText(reach.subarray(0, end));
  if (text === null) throw damaged(place, 'a printable name', `other bytes at offset ${at} of the string table`);
  return text;
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
