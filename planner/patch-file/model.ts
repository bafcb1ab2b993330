// SPDX-License-Identifier: MIT
/**
 * A patch in memory: what `diff` makes, `writePatch` turns into bytes, and `readPatch` gives back after validating
 * every field. Values only; nothing here knows ELF's encoding or any process.
 */
import type { LinkAddress } from '../addresses.js';

export type TargetKind = 'exec' | 'pie' | 'shared';

export interface PatchTarget {
  /** File name of the old object, without folders: for people. */
  readonly name: string;
  /** NT_GNU_BUILD_ID of the old object, lower-case hex: what apply goes by. */
  readonly buildId: string;
  readonly kind: TargetKind;
}

export type SectionKind = 'code' | 'rodata' | 'data' | 'bss';

/** One section that is loaded into the arena. `code` and `rodata` go into its r-x part, `data` and `bss` into rw-. */
export interface PatchSection {
  readonly name: string;
  readonly kind: SectionKind;
  /** Bytes, a power of two. */
  readonly align: number;
  /** Bytes; for `bss` the memory size, `bytes` is empty then. */
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** Where a relocation's symbol is. */
export type SymbolBinding =
  /** In the patch: offset in `sections[section]`. */
  | { readonly kind: 'patch'; readonly section: number; readonly offset: number }
  /** In the target object: an address of its own (a function, an object, a PLT stub, a GOT slot). */
  | { readonly kind: 'target'; readonly address: LinkAddress }
  /** In another object: found by name and version as ld.so would. */
  | {
      readonly kind: 'import';
      readonly version: string | null /** If nobody defines it, it is zero. */;
      readonly weak?: true;
    };

export interface PatchSymbol {
  readonly name: string;
  readonly binding: SymbolBinding;
}

/** As in Elf64_Rela, for the x86-64 psABI. */
export interface PatchRelocation {
  /** Index into `sections`: where to write. */
  readonly section: number;
  readonly offset: number;
  /** R_X86_64_*. */
  readonly type: number;
  /** Index into `symbols`. */
  readonly symbol: number;
  readonly addend: number;
}

/** An old function whose entry gets a detour to its new body. */
export interface ReplacedFunction {
  readonly name: string;
  readonly old: {
    readonly address: LinkAddress;
    /** Bytes, from the symbol table. */
    readonly size: number;
    /** Bytes from `address` that the detour may use: the size and the padding behind it. */
    readonly room: number;
    /** Offset of the detour from `address`: 4 after an endbr64, else 0. */
    readonly detourOffset: number;
    /** The 5 bytes at address + detourOffset in the old file: checked in the process before anything is written. */
    readonly bytes: Uint8Array;
  };
  readonly new: { readonly section: number; readonly offset: number; readonly size: number };
  /**
   * Further ranges that belong to the old function and must not be on a stack: its .cold parts.
   */
  readonly oldParts: readonly { readonly address: LinkAddress; readonly size: number }[];
}

/** Old code, kept for people who review the patch: nothing is applied by it. */
export interface OriginalCode {
  /** Of the function, or of its part. */
  readonly name: string;
  readonly address: LinkAddress;
  readonly code: Uint8Array;
  /** What the instruction at an offset refers to, by name or, for a text, by its words in quotes. */
  readonly names: readonly { readonly at: number; readonly name: string }[];
}

export interface Finding {
  readonly code: string;
  readonly symbol: string | null;
  readonly message: string;
}

export interface Patch {
  readonly schema: 1;
  /** The patch's name: what `revert` and `status` call it. [A-Za-z0-9._+-]{1,64} */
  readonly name: string;
  readonly tool: string;
  readonly target: PatchTarget;
  readonly sections: readonly PatchSection[];
  readonly symbols: readonly PatchSymbol[];
  readonly relocations: readonly PatchRelocation[];
  readonly functions: readonly ReplacedFunction[];
  /**
   * Names of the functions in the patch that a C++ exception may be caught in or pass through: before they run, the process's
   * unwinder must know the patch's .eh_frame.
   */
  readonly unwind: readonly string[];
  /** The old code of `functions` and of their parts. */
  readonly original: readonly OriginalCode[];
  /** The safety report: notes, and refusals that the author allowed. */
  readonly notes: readonly Finding[];
}
