// SPDX-License-Identifier: MIT
/** A section as the rest of the planner sees it, and questions about its flags. */

export const SHF_WRITE = 1;
export const SHF_ALLOC = 2;
export const SHF_EXECINSTR = 4;
export const SHF_TLS = 0x400;
export const SHF_COMPRESSED = 0x800;
export const SHT_RELA = 4;
export const SHT_NOBITS = 8;

export interface Section {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entrySize: number;
  /** Empty for NOBITS. */
  readonly bytes: Uint8Array;
}

export interface Segment {
  readonly type: string;
  readonly address: number;
  readonly memorySize: number;
  readonly align: number;
}

/** What messages call it: a damaged one may have no name. */
export const placeOf = ({ name, index }: Section): string => name || `section ${index}`;
export const isLoaded = (section: Section): boolean => (section.flags & SHF_ALLOC) !== 0;
export const isCode = (section: Section): boolean => isLoaded(section) && (section.flags & SHF_EXECINSTR) !== 0;
export const isThreadLocal = (section: Section): boolean => (section.flags & SHF_TLS) !== 0;
/** .tbss takes no addresses of its own. */
export const isTlsBss = (section: Section): boolean => isThreadLocal(section) && section.bytes.length === 0;
/** Made by the linker and filled in by the loader: no program's data. */
export const isLinkage = (section: Section): boolean =>
  /^\.(got|got\.plt|dynamic|i?plt.*|init_array|fini_array)$/.test(section.name);
/** How to unwind: made by the linker, about code and not for it. */
export const isUnwinding = (section: Section): boolean =>
  /^\.(eh_frame|eh_frame_hdr|gcc_except_table)\b/.test(section.name);
export const isRelro = (section: Section): boolean => section.name.startsWith('.data.rel.ro');
/** Constant once the program runs: read-only, or made so after relocation. */
export const isConstant = (section: Section): boolean =>
  isLoaded(section) && !isCode(section) && ((section.flags & SHF_WRITE) === 0 || isRelro(section));
/** Data that the program changes. */
export const isWritable = (section: Section): boolean =>
  isLoaded(section) &&
  (section.flags & SHF_WRITE) !== 0 &&
  !isThreadLocal(section) &&
  !isLinkage(section) &&
  !isRelro(section);
