// SPDX-License-Identifier: MIT
/**
 * The note that vouches for the file: three entries in a fixed order, schema, build id, and the SHA-256 of the file with the
 * hash itself as zeros. The hash finds damage, not malice: whoever changes a patch file can compute it anew.
 */
import { createHash } from 'node:crypto';
import { damaged, type RawSection, viewOf } from './container.js';
import { PatchFileError } from './error.js';
import { NOTE, NOTE_OWNER, NOTE_SECTION } from './format.js';

const HASH = 32;
const MOST = 256;
const pad = (size: number): number => (size + 3) & ~3;

/** Throws PatchFileError if the file has been changed, or its schema is unknown. */
export function checkNote(file: Uint8Array, note: RawSection): { readonly schema: 1; readonly buildId: string } {
  const entries = readEntries(note);
  const wanted = [NOTE.schema, NOTE.buildId, NOTE.sha256];
  if (entries.length !== 3 || entries.some(({ type }, i) => type !== wanted[i]))
    throw damaged(NOTE_SECTION, 'schema, build id and hash', `${entries.length} notes`);
  const [schema, buildId, hash] = entries as [Entry, Entry, Entry];
  if (schema.bytes.length !== 4 || buildId.bytes.length === 0 || hash.bytes.length !== HASH)
    throw damaged(NOTE_SECTION, 'schema, build id and hash in their sizes', 'others');
  const version = viewOf(schema.bytes).getUint32(0, true);
  if (version !== 1) throw new PatchFileError('SCHEMA', NOTE_SECTION, '1', `${version}`);
  const hashAt = note.offset + hash.at;
  const actual = createHash('sha256')
    .update(file.subarray(0, hashAt))
    .update(new Uint8Array(HASH))
    .update(file.subarray(hashAt + HASH))
    .digest();
  if (!actual.equals(hash.bytes))
    throw new PatchFileError('HASH', 'SHA-256', Buffer.from(hash.bytes).toString('hex'), actual.toString('hex'));
  return { schema: 1, buildId: Buffer.from(buildId.bytes).toString('hex') };
}

interface Entry {
  readonly type: number;
  /** Offset in the section. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

function readEntries({ bytes }: RawSection): Entry[] {
  const view = viewOf(bytes);
  const entries: Entry[] = [];
  const owner = Buffer.from(`${NOTE_OWNER}\0`);
  let at = 0;
  while (at + 12 <= bytes.length && entries.length < 4) {
    const ownerSize = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    const start = at + 12 + pad(owner.length);
    if (ownerSize !== owner.length || size > MOST || start + pad(size) > bytes.length)
      throw damaged(NOTE_SECTION, 'notes of driftpatch', `an entry of ${ownerSize} and ${size} bytes`);
    if (!owner.equals(bytes.subarray(at + 12, at + 12 + owner.length)))
      throw damaged(NOTE_SECTION, 'notes of driftpatch', 'others');
    entries.push({ type: view.getUint32(at + 8, true), at: start, bytes: bytes.subarray(start, start + size) });
    at = start + pad(size);
  }
  if (at !== bytes.length) throw damaged(NOTE_SECTION, 'nothing behind the notes', `${bytes.length - at} bytes`);
  return entries;
}
