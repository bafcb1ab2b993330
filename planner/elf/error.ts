// SPDX-License-Identifier: MIT
/** What can be wrong with an input ELF file. The codes are stable; a message says where, what was expected, what was found. */
import { PlannerError } from '../error.js';
import { printable } from '../printable.js';

const rows = {
  NOT_ELF: 'not an ELF file',
  TRUNCATED: 'the file ends too early',
  CLASS: 'not a 64-bit file',
  ENDIAN: 'not a little-endian file',
  MACHINE: 'not for x86-64',
  TYPE: 'neither an executable nor a shared library',
  HEADER: 'a header field is wrong',
  SECTION: 'a section is wrong',
  SYMBOL: 'a symbol is wrong',
  SYMTAB_MISSING: 'there is no symbol table (.symtab)',
  BUILD_ID_MISSING: 'there is no build id',
  DIFFERENT: 'the two files are not builds of one program',
  DEBUG: 'the debugging information is wrong',
  DEBUG_MISMATCH: 'the debug file belongs to another file',
} as const;

export type ElfErrorCode = keyof typeof rows;

export interface ElfErrorFacts {
  /** The file, as its user calls it. */
  readonly file: string;
  /** Offset, section or symbol. */
  readonly place: string;
  readonly expected: string;
  readonly found: string;
  readonly advice?: string;
  readonly cause?: unknown;
}

/** The file cannot be compared: it is damaged, of another kind, or lacks what comparison needs. */
export class ElfError extends PlannerError {
  override readonly name = 'ElfError';
  readonly code: ElfErrorCode;
  readonly place: string;
  readonly facts: ElfErrorFacts;

  constructor(code: ElfErrorCode, facts: ElfErrorFacts) {
    const { file, place, expected, found, advice } = facts;
    super(
      printable(`${file}: ${rows[code]}: ${place}: expected ${expected}, found ${found}${advice ? `; ${advice}` : ''}`),
      facts.cause === undefined ? {} : { cause: facts.cause },
    );
    this.code = code;
    this.place = printable(place);
    this.facts = facts;
  }
}
