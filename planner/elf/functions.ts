// SPDX-License-Identifier: MIT
/**
 * The names of a file's functions, for whoever has an address in it: .symtab, or what is left of it, .dynsym.
 */
import { isPrintable } from '../printable.js';
import { buildIdOf } from './notes.js';
import { openParts } from './open.js';
import { readSymbols, STT_FUNC, STT_IFUNC } from './symbols.js';

export interface FunctionNames {
  readonly buildId: string | null;
  /** The function that holds a link-time address, and how far in; null if none does. */
  at(address: number): { readonly name: string; readonly offset: number } | null;
}

const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;

/** Throws ElfError for what is no usable ELF file. */
export function functionNames(bytes: Uint8Array, file: string): FunctionNames {
  const { sections } = openParts(bytes, file);
  const table = [SHT_SYMTAB, SHT_DYNSYM].flatMap((wanted) => sections.find(({ type }) => type === wanted) ?? [])[0];
  const symbols = readSymbols(file, sections, table ?? null);
  return {
    buildId: buildIdOf(sections),
    at(address) {
      for (let i = 0; i < symbols.count; i++) {
        const type = symbols.infos[i]! & 15;
        const offset = address - symbols.values[i]!;
        if ((type !== STT_FUNC && type !== STT_IFUNC) || symbols.sectionIndices[i] === 0) continue;
        if (offset >= 0 && offset < symbols.sizes[i]! && isPrintable(symbols.name(i)))
          return { name: symbols.name(i), offset };
      }
      return null;
    },
  };
}
