// SPDX-License-Identifier: MIT
/**
 * The planner as a library: compare two builds of a program, and write and read patch files.
 *
 * No global state, no files, nothing printed, no need of the target's platform. Errors are PlannerErrors: ElfError for
 * input that is no usable ELF file, PatchFileError for a patch file that cannot be believed.
 */
export {
  type FileOffset,
  fileOffset,
  type LinkAddress,
  linkAddress,
  loadedAt,
  type RunAddress,
  runAddress,
  toSafe,
} from './addresses.js';
export { type Instruction, instructions, isBranch, isCall } from './core/instruction.js';
export { Workspace } from './core/workspace.js';
export {
  type Allowance,
  type DataChange,
  type DiffOptions,
  type DiffResult,
  diff,
  type Extent,
  type FunctionChange,
} from './diff.js';
export { ElfError, type ElfErrorCode, type ElfErrorFacts } from './elf/error.js';
export { type FunctionNames, functionNames } from './elf/functions.js';
export type { DebugFile } from './elf/open.js';
export { PlannerError } from './error.js';
export { PatchFileError, type PatchFileErrorCode } from './patch-file/error.js';
export type * from './patch-file/model.js';
export { readPatch } from './patch-file/read.js';
export { writePatch } from './patch-file/write.js';
