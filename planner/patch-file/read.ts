// SPDX-License-Identifier: MIT
/**
 * Reads a patch file. Its bytes come from anywhere and its user is root: all of it is checked, bounds, counts, names,
 * types and the hash, before a Patch is handed out; what is handed out are copies.
 *
 * What one call takes is bounded by the file's size: no part of the file is read twice for two things, and every list has its limit.
 */
import { linkAddress } from '../addresses.js';
import { damaged, type RawSection, readSections, stringAt, viewOf } from './container.js';
import { PatchFileError } from './error.js';
import {
  BIND,
  KINDS,
  LIMITS,
  NOTE_SECTION,
  PLAN_SECTION,
  RELA,
  RELOCATION_WIDTHS,
  SECTION_NAMES,
  SHF,
  SHN_ABS,
  SHT,
  SYM,
} from './format.js';
import type { Patch, PatchRelocation, PatchSection, PatchSymbol, SectionKind } from './model.js';
import { checkNote } from './note.js';
import { decodePlan } from './plan-section.js';
import { checkOriginals, checkRanges } from './ranges.js';

/** The patch in `file`; throws PatchFileError. */
export function readPatch(file: Uint8Array): Patch {
  const raw = readSections(file);
  const note = only(raw, NOTE_SECTION, SHT.note);
  const { schema, buildId } = checkNote(file, note);
  const sections = readLoaded(raw);
  const symtab = only(raw, '.symtab', SHT.symtab);
  const strtab = only(raw, '.strtab', SHT.strtab);
  if (symtab.link !== strtab.index || symtab.entrySize !== SYM)
    throw damaged('.symtab', `a link to .strtab and entries of ${SYM} bytes`, `${symtab.link}, ${symtab.entrySize}`);
  const symbols = decodeSymbols(symtab, strtab.bytes, sections);
  const relocations = readRelocations(raw, symtab.index, sections, symbols.length);
  const plan = decodePlan(only(raw, PLAN_SECTION, SHT.progbits).bytes, sections);
  if (plan.target.buildId !== buildId)
    throw damaged('target.buildId', `${buildId} as in the note`, plan.target.buildId);
  checkRanges(plan.functions);
  checkOriginals(plan.original, plan.functions);
  return { schema, ...plan, sections, symbols, relocations };
}

/** The one section of that name, which must have that type and no flags. */
function only(sections: readonly RawSection[], name: string, type: number): RawSection {
  const found = sections.filter((section) => section.name === name);
  if (found.length === 0 && name === NOTE_SECTION)
    throw new PatchFileError('NOT_A_PATCH', 'sections', name, 'an object file without it');
  const section = found[0];
  if (section === undefined || found.length > 1 || section.type !== type || section.flags !== 0)
    throw damaged('sections', `one ${name} of type ${type}`, `${found.length} of type ${section?.type ?? 'none'}`);
  return section;
}

/** The sections that go into the process: they come first, and behind them is nothing but what a patch file has. */
function readLoaded(raw: readonly RawSection[]): PatchSection[] {
  const loaded = raw.filter(({ flags }) => (flags & SHF.alloc) !== 0);
  loaded.forEach((section, i) => {
    if (section.index !== i + 1)
      throw damaged(section.name, 'the loaded sections first', `it is number ${section.index}`);
  });
  const strange = raw.slice(1 + loaded.length).find(({ type, name }) => type !== SHT.rela && !SECTION_NAMES.has(name));
  if (strange !== undefined) throw damaged('sections', 'no others', strange.name);
  const sections = loaded.map(decodeSection);
  if (sections.reduce((sum, { size }) => sum + size, 0) > LIMITS.memoryBytes)
    throw new PatchFileError('TOO_LARGE', 'sections', `at most ${LIMITS.memoryBytes} bytes`, 'more');
  return sections;
}

function decodeSection({ name, type, flags, align, size, bytes, link, info, entrySize }: RawSection): PatchSection {
  const kind = (Object.keys(KINDS) as SectionKind[]).find(
    (key) => KINDS[key].type === type && KINDS[key].flags === flags,
  );
  if (kind === undefined) throw damaged(name, 'code, rodata, data or bss', `type ${type}, flags ${flags}`);
  if (align < 1) throw damaged(name, 'an alignment', `${align}`);
  if (name === '' || link + info + entrySize !== 0)
    throw damaged(name, 'a name, and zeros for link, info and entry size', 'others');
  return { name, kind, align, size, bytes: new Uint8Array(bytes) };
}

function decodeSymbols(table: RawSection, strings: Uint8Array, sections: readonly PatchSection[]): PatchSymbol[] {
  const { bytes, info: firstGlobal } = table;
  const count = bytes.length / SYM;
  if (!Number.isInteger(count) || count === 0 || count > LIMITS.symbols)
    throw damaged('.symtab', `1 to ${LIMITS.symbols} entries of ${SYM} bytes`, `${bytes.length} bytes`);
  if (bytes.subarray(0, SYM).some((byte) => byte !== 0)) throw damaged('symbol 0', 'zeros', 'other values');
  const view = viewOf(bytes);
  const symbols: PatchSymbol[] = [];
  let nameBytes = 0;
  for (let index = 1; index < count; index++) {
    const at = index * SYM;
    const place = `symbol ${index}`;
    const name = stringAt(strings, view.getUint32(at, true), place);
    nameBytes += name.length;
    if (nameBytes > LIMITS.nameBytes) throw damaged(place, `names of ${LIMITS.nameBytes} bytes at most`, 'more');
    const bind = view.getUint8(at + 4) >> 4;
    const home = view.getUint16(at + 6, true);
    const value = view.getBigUint64(at + 8, true);
    const size = view.getBigUint64(at + 16, true);
    const binds = home === 0 ? [BIND.global >> 4, BIND.weak >> 4] : [0];
    if (!binds.includes(bind) || (home === 0) !== index >= firstGlobal || view.getUint8(at + 5) !== 0)
      throw damaged(place, 'a local symbol, or behind those an undefined global or weak one', name);
    if (value >= 1n << 47n) throw damaged(place, 'a value below 2^47', `${value}`);
    const binding = bindingOf(place, name, home, Number(value), size, sections, bind === BIND.weak >> 4);
    symbols.push({ name: binding.kind === 'import' ? splitVersion(name)[0] : name, binding });
  }
  return symbols;
}

function bindingOf(
  place: string,
  name: string,
  home: number,
  value: number,
  size: bigint,
  sections: readonly PatchSection[],
  weak: boolean,
): PatchSymbol['binding'] {
  if (home === SHN_ABS) return { kind: 'target', address: linkAddress(value) };
  if (home === 0) {
    const [plain, version] = splitVersion(name);
    if (plain === '' || version === '' || value !== 0) throw damaged(place, 'an import: NAME or NAME@VERSION', name);
    return { kind: 'import', version, ...(weak ? { weak } : {}) };
  }
  const section = sections[home - 1];
  if (section === undefined || BigInt(value) + size > BigInt(section.size))
    throw damaged(place, 'a place in a loaded section', `${home}+${value}, ${size} bytes`);
  return { kind: 'patch', section: home - 1, offset: value };
}

function splitVersion(name: string): [name: string, version: string | null] {
  const split = name.lastIndexOf('@');
  return split < 0 ? [name, null] : [name.slice(0, split), name.slice(split + 1)];
}

function readRelocations(
  raw: readonly RawSection[],
  symtab: number,
  sections: readonly PatchSection[],
  symbols: number,
): PatchRelocation[] {
  const tables = raw.filter(({ type }) => type === SHT.rela);
  const total = tables.reduce((sum, { size }) => sum + size / RELA, 0);
  if (total > LIMITS.relocations) throw damaged('relocations', `at most ${LIMITS.relocations}`, `${total}`);
  const homes = new Set(tables.map(({ info }) => info));
  if (homes.size !== tables.length) throw damaged('relocations', 'one table for a section', 'several');
  const all: PatchRelocation[] = [];
  for (const table of tables) for (const one of decodeRelocations(table, symtab, sections, symbols)) all.push(one);
  return all;
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
  if (table.name !== `.rela${home.name}` || table.flags !== SHF.infoLink || table.entrySize !== RELA)
    throw damaged(table.name, `.rela${home.name} with entries of ${RELA} bytes`, `flags ${table.flags}`);
  const view = viewOf(table.bytes);
  const all: PatchRelocation[] = [];
  let end = 0;
  for (let at = 0; at < table.size; at += RELA) {
    const place = () => `${table.name} entry ${at / RELA}`;
    const offset = view.getBigUint64(at, true);
    const type = view.getUint32(at + 8, true);
    const symbol = view.getUint32(at + 12, true);
    const addend = view.getBigInt64(at + 16, true);
    const width = RELOCATION_WIDTHS.get(type);
    if (width === undefined) throw damaged(place(), 'a type a patch may hold', `${type}`);
    if (offset + BigInt(width) > BigInt(home.size))
      throw damaged(place(), `a field within ${home.name}`, `offset ${offset}`);
    if (Number(offset) < end) throw damaged(place(), 'fields in order that do not overlap', `offset ${offset}`);
    if (symbol < 1 || symbol > symbols) throw damaged(place(), `a symbol from 1 to ${symbols}`, `${symbol}`);
    if (addend > 2n ** 47n || addend < -(2n ** 47n)) throw damaged(place(), 'an addend below 2^47', `${addend}`);
    end = Number(offset) + width;
    all.push({ section: table.info - 1, offset: Number(offset), type, symbol: symbol - 1, addend: Number(addend) });
  }
  return all;
}
