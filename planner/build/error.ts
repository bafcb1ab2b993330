// SPDX-License-Identifier: MIT
/** Why there is nothing to compare: what can go wrong between a source tree and two builds. Codes are stable. */

const rows = {
  SOURCE: 'the source folder cannot be used',
  PATCH: 'the patch cannot be read',
  NOT_APPLIED: 'the patch does not apply',
  TOOL_MISSING: 'a program is missing',
  TOOL_FAILED: 'a program failed',
  NOT_CLEAN: 'the source folder holds objects of an earlier build',
  BUILD_FAILED: 'the build failed',
  NO_RESULT: 'the build made no executable and no shared library',
  NOT_REPRODUCIBLE: 'two builds of the same source differ',
  TREE_CHANGED: 'the build wrote into the source folder itself',
  WORK_FOLDER: 'the folder to build in cannot be used',
} as const;

export type BuildErrorCode = keyof typeof rows;

export class BuildError extends Error {
  override readonly name = 'BuildError';
  readonly code: BuildErrorCode;
  /** The file, folder or command it is about. */
  readonly place: string;
  /** The last lines that a program said, for a person; empty if none did. */
  readonly tail: readonly string[];

  constructor(
    code: BuildErrorCode,
    place: string,
    detail: string,
    { tail = [], cause }: { readonly tail?: readonly string[]; readonly cause?: unknown } = {},
  ) {
    super(`${place}: ${rows[code]}: ${detail}`, cause === undefined ? {} : { cause });
    this.code = code;
    this.place = place;
    this.tail = tail;
  }
}
