// SPDX-License-Identifier: MIT
/**
 * Writing and reading a sequence of little-endian fields.
 *
 * Invariant: the reader throws RangeError, and nothing else, for whatever is too short, too long or no safe integer.
 */
import { toSafe } from '../planner/index.js';

const MAX_TEXT = 4096;

export class RecordWriter {
  private readonly chunks: Uint8Array[] = [];

  u16(value: number): this {
    const chunk = Buffer.alloc(2);
    chunk.writeUInt16LE(value);
    return this.bytes(chunk);
  }

  u32(value: number): this {
    const chunk = Buffer.alloc(4);
    chunk.writeUInt32LE(value);
    return this.bytes(chunk);
  }

  u64(value: number): this {
    const chunk = Buffer.alloc(8);
    chunk.writeBigUInt64LE(BigInt(value));
    return this.bytes(chunk);
  }

  text(value: string): this {
    let bytes = Buffer.from(value, 'utf8');
    // A C++ name may be longer than anyone reads: the record keeps its head.
    if (bytes.length > MAX_TEXT) bytes = Buffer.from(bytes.subarray(0, MAX_TEXT).toString('utf8').slice(0, -1), 'utf8');
    return this.u16(bytes.length).bytes(bytes);
  }

  bytes(chunk: Uint8Array): this {
    this.chunks.push(chunk);
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

export class RecordReader {
  private readonly source: Buffer;
  private at: number;

  constructor(source: Buffer, at: number) {
    this.source = source;
    this.at = at;
  }

  u16(): number {
    return this.bytes(2).readUInt16LE();
  }

  u32(): number {
    return this.bytes(4).readUInt32LE();
  }

  u64(): number {
    return toSafe(this.bytes(8).readBigUInt64LE());
  }

  text(): string {
    const length = this.u16();
    if (length > MAX_TEXT) throw new RangeError('text too long');
    return this.bytes(length).toString('utf8');
  }

  bytes(length: number): Buffer {
    if (this.at + length > this.source.length) throw new RangeError('too short');
    const bytes = this.source.subarray(this.at, this.at + length);
    this.at += length;
    return bytes;
  }

  end(): void {
    if (this.at !== this.source.length) throw new RangeError('too long');
  }
}
