// SPDX-License-Identifier: MIT
/** ELF notes as they lie in memory (System V ABI, chapter 5). They come from the target: what does not add up ends the list. */

export interface Note {
  readonly owner: string;
  readonly type: number;
  /** Offset of the description in the bytes that were read, and the description. */
  readonly at: number;
  readonly description: Buffer;
}

const HEAD = 12;

export function parseNotes(bytes: Buffer): Note[] {
  const notes: Note[] = [];
  for (let at = 0; at + HEAD <= bytes.length; ) {
    const nameSize = bytes.readUInt32LE(at);
    const size = bytes.readUInt32LE(at + 4);
    const content = at + HEAD + Math.ceil(nameSize / 4) * 4;
    if (content + size > bytes.length) break;
    notes.push({
      owner: bytes.toString('latin1', at + HEAD, at + HEAD + Math.max(nameSize - 1, 0)),
      type: bytes.readUInt32LE(at + 8),
      at: content,
      description: bytes.subarray(content, content + size),
    });
    at = content + Math.ceil(size / 4) * 4;
  }
  return notes;
}
