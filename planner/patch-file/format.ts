// SPDX-License-Identifier: MIT
/**
 * The numbers of the encoding, shared by its writer and its reader.
 *
 * A patch file is an ELF64 relocatable object for x86-64:
 *
 *     .text.NAME .rodata.* .data.* .bss.*   what is loaded, and .rela.* for each that needs it
 *     .symtab .strtab                       patch symbols are defined in a section, target symbols are absolute with their
 *                                           link-time address, imports are undefined and global or weak, NAME@VERSION
 *     .driftpatch.plan                      JSON: name, tool, target, replaced functions with their old code, notes
 *     .note.driftpatch                      schema, build id of the target, SHA-256 of the file with these 32 bytes as zeros
 *     .shstrtab
 */
import type { SectionKind } from './model.js';

export const EHDR = 64;
export const SHDR = 64;
export const SYM = 24;
export const RELA = 24;

export const ET_REL = 1;
export const EM_X86_64 = 62;
export const SHT = { progbits: 1, symtab: 2, strtab: 3, rela: 4, note: 7, nobits: 8 } as const;
export const SHF = { write: 1, alloc: 2, exec: 4, infoLink: 0x40 } as const;
/** st_info of an import. */
export const BIND = { global: 0x10, weak: 0x20 } as const;
export const SHN_ABS = 0xfff1;
export const SHN_LORESERVE = 0xff00;

export const NOTE_OWNER = 'driftpatch';
/** Beyond the numbers that readelf has names for. */
export const NOTE = { schema: 0x64500001, buildId: 0x64500002, sha256: 0x64500003 } as const;
export const NOTE_SECTION = '.note.driftpatch';
export const PLAN_SECTION = '.driftpatch.plan';
/** Behind what is loaded there are these and relocations, nothing else. */
export const SECTION_NAMES: ReadonlySet<string> = new Set([
  '.symtab',
  '.strtab',
  PLAN_SECTION,
  NOTE_SECTION,
  '.shstrtab',
]);

/** Flags and type say the kind of a section; there is no other record of it. */
export const KINDS: Record<SectionKind, { readonly type: number; readonly flags: number }> = {
  code: { type: SHT.progbits, flags: SHF.alloc | SHF.exec },
  rodata: { type: SHT.progbits, flags: SHF.alloc },
  data: { type: SHT.progbits, flags: SHF.alloc | SHF.write },
  bss: { type: SHT.nobits, flags: SHF.alloc | SHF.write },
};

/** Relocation types a patch may hold, with the width of the field: R_X86_64_64, _PC32, _PLT32, _GOTPCREL, _32, _32S. */
export const RELOCATION_WIDTHS: ReadonlyMap<number, number> = new Map([
  [1, 8],
  [2, 4],
  [4, 4],
  [9, 4],
  [10, 4],
  [11, 4],
]);

/** Bounds on what a reader accepts and a writer makes. */
export const LIMITS = {
  fileBytes: 256 * 1024 * 1024,
  memoryBytes: 1024 * 1024 * 1024,
  /** A JSON text may take a hundred times its size while it is read. */
  planBytes: 8 * 1024 * 1024,
  symbols: 1 << 20,
  /** Of all symbols together: they may share bytes of the string table. */
  nameBytes: 64 * 1024 * 1024,
  relocations: 1 << 22,
  functions: 1 << 16,
  notes: 1 << 16,
  name: 4096,
  align: 4096,
} as const;

export const PATCH_NAME = /^[A-Za-z0-9._+-]{1,64}$/;
