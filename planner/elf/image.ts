// SPDX-License-Identifier: MIT
/**
 * An opened ELF file, by address: which section, which symbol, which relocation is there, and what bytes.
 *
 * Read-only once made. Addresses are link-time addresses as plain numbers here; they get their brand where they
 * enter a patch.
 */
import type { TargetKind } from '../patch-file/model.js';
import { checkDebugFile, debugWishOf, hasDebugInfo, sectionNumbers } from './debug-file.js';
import { ElfError } from './error.js';
import { buildIdOf } from './notes.js';
import { readStubs } from './plt.js';
import { pointersIn } from './pointers.js';
import { R_X86_64, type Relocation, type RelocationTable, readRelocations } from './relocations.js';
import { isLoaded, isTlsBss, type Section, type Segment, SHT_RELA } from './sections.js';
import { type ElfSymbol, readSymbols, readVersions, type SymbolTable } from './symbols.js';

export interface Import {
  readonly name: string;
  readonly version: string | null;
}

export interface ElfImage {
  readonly file: string;
  readonly kind: TargetKind;
  readonly buildId: string | null;
  readonly sections: readonly Section[];
  readonly segments: readonly Segment[];
  /** .symtab; empty if there is none. */
  readonly symbolTable: SymbolTable;
  readonly dynamicTable: SymbolTable;
  /** The same, every entry as an object: made when it is asked for. */
  readonly symbols: readonly ElfSymbol[];
  readonly dynamicSymbols: readonly ElfSymbol[];
  /** Where to look for debugging information: the file's own sections, or those of its debug file. */
  readonly debugSections: readonly Section[];
  readonly sharedDebugSections: readonly Section[] | null;
  readonly versions: readonly (string | null)[];
  /** Relocations that the loader applies, by the address they fill in; of a fixed program also what the linker filled in (pointers.ts). */
  readonly relocations: RelocationTable;
  /** PLT stub → GOT slot. */
  readonly stubs: ReadonlyMap<number, number>;
  /** Relocations of the code that --emit-relocs kept, by address; empty otherwise. */
  readonly keptRelocations: RelocationTable;
}

export interface RawImage {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly kind: 'exec' | 'dyn';
  readonly sections: readonly Section[];
  readonly segments: readonly Segment[];
}

const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;

/** Further files that belong to the one that is opened. */
export interface DebugParts {
  readonly file: RawImage | null;
  readonly shared: RawImage | null;
}

export function loadImage(raw: RawImage, need: 'required' | 'optional', debug: DebugParts): ElfImage {
  const { file, sections } = raw;
  if (debug.file) checkDebugFile(file, debugWishOf(sections), debug.file);
  const isTable = (section: Section) => section.type === SHT_SYMTAB;
  const home = !sections.some(isTable) && debug.file ? debug.file.sections : sections;
  const table = home.find(isTable);
  if (table === undefined && need === 'required')
    throw new ElfError('SYMTAB_MISSING', {
      file,
      place: 'sections',
      expected: 'a section of type SYMTAB',
      found: `none in ${sections.length} sections`,
      advice: 'give the file from before `strip`, or its debug file as well (--old-debug, --new-debug)',
    });
  const dynamic = sections.find((section) => section.type === SHT_DYNSYM);
  const symbolTable = symbolsFrom(file, home, table ?? null, sections);
  const dynamicTable = readSymbols(file, sections, dynamic ?? null);
  const keepsCode = (section: Section) => !isLoaded(section) && isLoaded(sections[section.info] ?? section);
  const loaders = readRelocations(file, sections, isLoaded, dynamicTable.count);
  const kept = readRelocations(file, sections, keepsCode, symbolTable.count);
  return {
    file,
    kind: raw.kind === 'exec' ? 'exec' : raw.segments.some(({ type }) => type === 'interp') ? 'pie' : 'shared',
    buildId: buildIdOf(sections),
    sections,
    segments: raw.segments,
    symbolTable,
    dynamicTable,
    get symbols() {
      return symbolTable.all;
    },
    get dynamicSymbols() {
      return dynamicTable.all;
    },
    debugSections: debug.file && !hasDebugInfo(sections) ? debug.file.sections : sections,
    sharedDebugSections: debug.shared?.sections ?? null,
    versions: readVersions(sections, dynamicTable.count),
    relocations:
      raw.kind === 'exec' ? loaders.over(pointersIn(sections, symbolTable.all, bySection(sections, kept))) : loaders,
    stubs: readStubs(sections),
    keptRelocations: kept,
  };
}

/** The symbols, with the numbers that sections have in the file itself. */
function symbolsFrom(
  file: string,
  home: readonly Section[],
  table: Section | null,
  own: readonly Section[],
): SymbolTable {
  const symbols = readSymbols(file, home, table);
  if (home !== own) {
    const number = sectionNumbers(own, home);
    symbols.sectionIndices.forEach((index, i, indices) => {
      indices[i] = number(index);
    });
  }
  return symbols;
}

/** Of the sections whose relocations the linker kept. */
function bySection(sections: readonly Section[], kept: RelocationTable): Map<number, Relocation[]> {
  const homes = sections.filter((section) => section.type === SHT_RELA && !isLoaded(section));
  const table = new Map<number, Relocation[]>();
  for (const { info } of homes) {
    const home = sections[info];
    if (home === undefined) continue;
    const found: Relocation[] = [];
    const end = kept.firstFrom(home.address + home.size);
    for (let i = kept.firstFrom(home.address); i < end; i++) found.push(kept.at(i));
    table.set(info, found);
  }
  return table;
}

/** The loaded section that holds `address`; its end belongs to it only if nothing else starts there. */
export function sectionAt(image: ElfImage, address: number): Section | null {
  for (const section of image.sections)
    if (
      isLoaded(section) &&
      address >= section.address &&
      address < section.address + section.size &&
      !isTlsBss(section)
    )
      return section;
  return null;
}

/** Bytes at `address` up to `size`, cut at the section's end; null for no section or NOBITS. */
export function bytesAt(image: ElfImage, address: number, size: number): Uint8Array | null {
  const section = sectionAt(image, address);
  if (section === null || section.bytes.length === 0) return null;
  const at = address - section.address;
  return section.bytes.subarray(at, Math.min(section.bytes.length, at + size));
}

/** What the GOT slot or PLT stub's slot at `address` is bound to by name, or null. */
export function importAt(image: ElfImage, slot: number): Import | null {
  const relocation = image.relocations.get(slot);
  if (relocation === undefined) return null;
  const { type } = relocation;
  if (type !== R_X86_64.globDat && type !== R_X86_64.jumpSlot && type !== R_X86_64.abs64) return null;
  return importOf(image, relocation.symbol);
}

export function importOf(image: ElfImage, symbol: number): Import {
  return { name: image.dynamicTable.name(symbol), version: image.versions[symbol] ?? null };
}

export const importName = ({ name, version }: Import): string => (version === null ? name : `${name}@${version}`);

/** Is the variable at `address` another object's, of which the loader puts a copy there? */
export const isCopied = ({ relocations }: ElfImage, address: number): boolean =>
  relocations.get(address)?.type === R_X86_64.copy;
