// SPDX-License-Identifier: MIT
/**
 * The patch file's bytes as a patch: the planner validates, this turns what it says into the runtime's error.
 */
import { createHash } from 'node:crypto';
import { type Patch, PatchFileError, readPatch } from '../planner/index.js';
import { RuntimeError } from './errors.js';

/** The name of the patch in `bytes`; throws what `apply` throws for bytes that are no patch file. */
export const patchName = (bytes: Uint8Array): string => parsePatch(bytes).name;

/** A patch with the SHA-256 of its file, in hex: by that a process tells which one it carries. */
export interface HashedPatch {
  readonly patch: Patch;
  readonly hash: string;
}

export const parseHashed = (bytes: Uint8Array): HashedPatch => ({
  patch: parsePatch(bytes),
  hash: createHash('sha256').update(bytes).digest('hex'),
});

export function parsePatch(bytes: Uint8Array): Patch {
  try {
    return readPatch(bytes);
  } catch (error) {
    if (!(error instanceof PatchFileError)) throw error;
    throw new RuntimeError('PATCH_UNUSABLE', { why: error.message }, { cause: error });
  }
}
