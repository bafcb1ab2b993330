// SPDX-License-Identifier: MIT
/**
 * Reads a patch file. Its bytes come from anywhere and its user is root: all of it is checked, bounds, counts, names,
 * types and the hash, before a Patch is handed out; what is handed out are copies.
 */
import { createHash } from 'node:crypto';
import { linkAddress } from '../addresses.js';
import { PatchFileError } from './error.js';
import {
  EHDR,
  EM_X86_64,
  ET_REL,
  KINDS,
  LIMITS,
  NOTE,
  NOTE_OWNER,
  NOTE_SECTION,
  PLAN_SECTION,
  RELA,
  RELOCATION_WIDTHS,
  SHDR,
  SHN_ABS,
  SHT,
  SYM,
} from './format.js';
import type { Patch, PatchRelocation, PatchSection, PatchSymbol, SectionKind } from './model.js';
import { decodePlan } from './plan-section.js';

interface RawSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly bytes: Uint8Array;
}

/** The patch in `file`; throws PatchFileError. */
export function readPatch(file: Uint8Array): Patch {
  const raw = readSections(file);
  const note = only(raw, NOTE_SECTION, SHT.note);
  const { schema, buildId } = checkNote(file, note);
  const loaded = raw.filter(({ flags }) => (flags & 2) !== 0);
  loaded.forEach((section, i) => {
    if (section.index !== i + 1)
      throw damaged(section.name, 'the loaded sections first', `it is number ${section.index}`);
  });
  const sections = loaded.map(decodeSection);
  if (sections.reduce((sum, { size }) => sum + size, 0) > LIMITS.memoryBytes)
    throw new PatchFileError('TOO_LARGE', 'sections', `at most ${LIMITS.memoryBytes} bytes`, 'more');
  const symtab = only(raw, '.symtab', SHT.symtab);
  const strtab = only(raw, '.strtab', SHT.strtab);
  if (symtab.link !== strtab.index) throw damaged('.symtab', 'a link to .strtab', `${symtab.link}`);
  const symbols = decodeSymbols(symtab.bytes, strtab.bytes, sections);
  const relocations = raw
    .filter(({ type }) => type === SHT.rela)
    .flatMap((section) => decodeRelocations(section, symtab.index, sections, symbols.length));
  const plan = decodePlan(only(raw, PLAN_SECTION, SHT.progbits).bytes, sections);
  if (plan.target.buildId !== buildId)
    throw damaged('target.buildId', `${buildId} as in the note`, plan.target.buildId);
  return { schema, ...plan, sections, symbols, relocations };
}

const damaged = (place: string, expected: string, found: string) =>
  new PatchFileError('DAMAGED', place, expected, found);

function readSections(file: Uint8Array): RawSection[] {
  if (file.length > LIMITS.fileBytes)
    throw new PatchFileError('TOO_LARGE', 'file', `at most ${LIMITS.fileBytes} bytes`, `${file.length}`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
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
  if (view.getUint16(58, true) !== SHDR)
    throw damaged('ELF header', `section headers of ${SHDR} bytes`, `${view.getUint16(58, true)}`);
  if (count < 2 || table + BigInt(count * SHDR) > BigInt(file.length))
    throw new PatchFileError('TRUNCATED', 'section headers', `${count} at ${table}`, `a file of ${file.length} bytes`);
  const headers = Array.from({ length: count }, (_, index) => header(file, view, Number(table) + index * SHDR, index));
  const names = headers[view.getUint16(62, true)];
  if (names === undefined || names.type !== SHT.strtab) throw damaged('ELF header', 'a section name table', 'none');
  return headers.map(({ nameAt, ...section }) => ({
    ...section,
    name: string(names.bytes, nameAt, `section ${section.index}`),
  }));
}

function header(file: Uint8Array, view: DataView, at: number, index: number) {
  const place = `section ${index}`;
  const type = view.getUint32(at + 4, true);
  const [flags, offset, size, align] = [8, 24, 32, 48].map((field) => {
    const value = view.getBigUint64(at + field, true);
    if (value > BigInt(LIMITS.memoryBytes)) throw damaged(place, 'fields in range', `${value}`);
    return Number(value);
  }) as [number, number, number, number];
  const inFile = type === SHT.nobits || type === 0 ? 0 : size;
  if (inFile > 0 && offset + inFile > file.length)
    throw new PatchFileError('TRUNCATED', place, `${size} bytes at ${offset}`, `a file of ${file.length} bytes`);
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
    bytes: file.slice(inFile > 0 ? offset : 0, inFile > 0 ? offset + inFile : 0),
  };
}

function only(sections: readonly RawSection[], name: string, type: number): RawSection {
  const found = sections.filter((section) => section.name === name);
  if (found.length === 0 && name === NOTE_SECTION)
    throw new PatchFileError('NOT_A_PATCH', 'sections', name, 'an object file without it');
  if (found.length !== 1 || found[0]!.type !== type) throw damaged('sections', `one ${name}`, `${found.length}`);
  return found[0]!;
}

/** Schema and build id; and the hash, which covers everything else. */
function checkNote(file: Uint8Array, note: RawSection): { schema: 1; buildId: string } {
  const view = new DataView(note.bytes.buffer, note.bytes.byteOffset, note.bytes.byteLength);
  const found = new Map<number, { bytes: Uint8Array; at: number }>();
  const pad = (size: number) => (size + 3) & ~3;
  for (let at = 0; at + 12 <= note.bytes.length; ) {
    const ownerSize = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    const start = at + 12 + pad(Math.min(ownerSize, 256));
    if (ownerSize !== NOTE_OWNER.length + 1 || size > 256 || start + size > note.bytes.length)
      throw damaged(NOTE_SECTION, 'notes of driftpatch', `an entry of ${ownerSize} and ${size} bytes`);
    if (string(note.bytes, at + 12, NOTE_SECTION) !== NOTE_OWNER)
      throw damaged(NOTE_SECTION, 'notes of driftpatch', 'others');
    found.set(view.getUint32(at + 8, true), { bytes: note.bytes.subarray(start, start + size), at: start });
    at = start + pad(size);
  }
  const [schema, buildId, hash] = [NOTE.schema, NOTE.buildId, NOTE.sha256].map((type) => found.get(type));
  if (schema?.bytes.length !== 4 || !buildId || buildId.bytes.length === 0 || hash?.bytes.length !== 32)
    throw damaged(NOTE_SECTION, 'schema, build id and hash', `${found.size} notes`);
  const version = new DataView(schema.bytes.buffer, schema.bytes.byteOffset).getUint32(0, true);
  if (version !== 1) throw new PatchFileError('SCHEMA', NOTE_SECTION, '1', `${version}`);
  const zeroed = Uint8Array.from(file);
  zeroed.fill(0, note.offset + hash.at, note.offset + hash.at + 32);
  const actual = createHash('sha256').update(zeroed).digest();
  if (!actual.equals(hash.bytes))
    throw new PatchFileError('HASH', 'SHA-256', Buffer.from(hash.bytes).toString('hex'), actual.toString('hex'));
  return { schema: 1, buildId: Buffer.from(buildId.bytes).toString('hex') };
}

function decodeSection({ name, type, flags, align, size, bytes }: RawSection): PatchSection {
  const kind = (Object.keys(KINDS) as SectionKind[]).find(
    (key) => KINDS[key].type === type && KINDS[key].flags === flags,
  );
  if (kind === undefined) throw damaged(name, 'code, rodata, data or bss', `type ${type}, flags ${flags}`);
  if (align < 1 || align > LIMITS.align || (align & (align - 1)) !== 0) throw damaged(name, 'an alignment', `${align}`);
  return { name, kind, align, size, bytes };
}

function decodeSymbols(table: Uint8Array, strings: Uint8Array, sections: readonly PatchSection[]): PatchSymbol[] {
  if (table.length % SYM !== 0 || table.length === 0)
    throw damaged('.symtab', `entries of ${SYM} bytes`, `${table.length} bytes`);
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const symbols: PatchSymbol[] = [];
  for (let at = SYM; at < table.length; at += SYM) {
    const place = `symbol ${at / SYM}`;
    const name = string(strings, view.getUint32(at, true), place);
    const home = view.getUint16(at + 6, true);
    const value = view.getBigUint64(at + 8, true);
    if (value >= 1n << 47n) throw damaged(place, 'a value below 2^47', `${value}`);
    if (home === SHN_ABS) symbols.push({ name, binding: { kind: 'target', address: linkAddress(Number(value)) } });
    else if (home === 0) {
      const split = name.lastIndexOf('@');
      const version = split > 0 ? name.slice(split + 1) : null;
      symbols.push({ name: split > 0 ? name.slice(0, split) : name, binding: { kind: 'import', version } });
    } else {
      const section = sections[home - 1];
      if (section === undefined || Number(value) > section.size)
        throw damaged(place, 'a place in a loaded section', `${home}+${value}`);
      symbols.push({ name, binding: { kind: 'patch', section: home - 1, offset: Number(value) } });
    }
  }
  return symbols;
}

function decodeRelocations(
  table: RawSection,
  symtab: number,
  sections: readonly PatchSection[],
  symbols: number,
): PatchRelocation[] {
  const home = sections[table.info - 1];
  if (table.link !== symtab || home === undefined || home.kind === 'bss' || table.size % RELA !== 0)
    throw damaged(
      table.name,
      'relocations of a loaded section with content',
      `section ${table.info}, ${table.size} bytes`,
    );
  const view = new DataView(table.bytes.buffer, table.bytes.byteOffset, table.bytes.byteLength);
  const all: PatchRelocation[] = [];
  let end = 0;
  for (let at = 0; at < table.size; at += RELA) {
    const place = `${table.name} entry ${at / RELA}`;
    const offset = view.getBigUint64(at, true);
    const type = view.getUint32(at + 8, true);
    const symbol = view.getUint32(at + 12, true);
    const addend = view.getBigInt64(at + 16, true);
    const width = RELOCATION_WIDTHS.get(type);
    if (width === undefined) throw damaged(place, 'a type a patch may hold', `${type}`);
    if (offset + BigInt(width) > BigInt(home.size))
      throw damaged(place, `a field within ${home.name}`, `offset ${offset}`);
    if (Number(offset) < end) throw damaged(place, 'fields in order that do not overlap', `offset ${offset}`);
    if (symbol < 1 || symbol > symbols) throw damaged(place, `a symbol from 1 to ${symbols}`, `${symbol}`);
    if (addend > 2n ** 47n || addend < -(2n ** 47n)) throw damaged(place, 'an addend below 2^47', `${addend}`);
    end = Number(offset) + width;
    all.push({ section: table.info - 1, offset: Number(offset), type, symbol: symbol - 1, addend: Number(addend) });
  }
  return all;
}

function string(table: Uint8Array, at: number, place: string): string {
  const end = at < table.length ? table.indexOf(0, at) : -1;
  if (end < 0 || end - at > LIMITS.name) throw damaged(place, 'a name in the string table', `offset ${at}`);
  return Buffer.from(table.subarray(at, end)).toString('utf8');
}
