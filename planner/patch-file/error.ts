// SPDX-License-Identifier: MIT
/** What can be wrong with a patch file. Codes are stable; a message says where, what was expected, what was found. */
import { PlannerError } from '../error.js';

const rows = {
  NOT_A_PATCH: 'not a patch file',
  TRUNCATED: 'the patch file ends too early',
  DAMAGED: 'the patch file is damaged',
  SCHEMA: 'the patch file is of a schema this version does not know',
  HASH: 'the patch file has been changed since it was written',
  TOO_LARGE: 'the patch is too large',
} as const;

export type PatchFileErrorCode = keyof typeof rows;

/** The patch file cannot be believed, or the patch does not fit into one. */
export class PatchFileError extends PlannerError {
  override readonly name = 'PatchFileError';
  readonly code: PatchFileErrorCode;
  /** Header, section or field. */
  readonly place: string;

  constructor(code: PatchFileErrorCode, place: string, expected: string, found: string, cause?: unknown) {
    super(`${rows[code]}: ${place}: expected ${expected}, found ${found}; make it again with \`planner diff\``, {
      cause,
    });
    this.code = code;
    this.place = place;
  }
}
