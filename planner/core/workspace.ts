// SPDX-License-Identifier: MIT
/**
 * The core's memory, and what lies in it. Files are best read into it, so that nothing is copied for the core to see: made for files
 * it never grows, because their bytes are views of it. Made for none it grows, and bytes from elsewhere are copied in.
 */
import { type Core, grow, instantiate } from './instance.js';

/** What the tables over files need, in bytes per byte of file, and for maps of all addresses: a bound, of memory that is not touched. */
const TABLES = 8;
const MAPS = 320 * 2 ** 20;
const MOST = 2 ** 32 - 65536;
/** Bytes behind everything that the core may read, because it reads sixteen at once. */
const MARGIN = 64;
const ALIGN = 16;

export class Workspace {
  readonly core: Core = instantiate();
  readonly #fixed: boolean;
  #end: number;

  private constructor(size: number) {
    this.#end = this.core.freeMemory();
    this.#fixed = size > 0;
    grow(this.core, size);
  }

  static empty(): Workspace {
    return new Workspace(0);
  }

  /** With room for `bytes` bytes of files; null if that is more than there can be. */
  static forFiles(bytes: number): Workspace | null {
    const size = bytes * TABLES + MAPS;
    if (size > MOST) return null;
    try {
      return new Workspace(size);
    } catch (error) {
      // the machine, or who set its limits, does not want us to have that much
      if (error instanceof RangeError) return null;
      throw error;
    }
  }

  get buffer(): ArrayBuffer {
    return this.core.memory.buffer;
  }

  /** Where `bytes` bytes are free from now on, all zero. Views of the memory may be void then if it was made for no files. */
  take(bytes: number): number {
    const at = Math.ceil(this.#end / ALIGN) * ALIGN;
    if (this.#fixed && !this.#hasRoom(at + bytes)) throw new RangeError(`no room for ${bytes} bytes in the workspace`);
    this.#end = at + bytes;
    grow(this.core, this.#end + MARGIN);
    return at;
  }

  /** Room for a file's bytes. */
  takeBytes(bytes: number): Uint8Array {
    const at = this.take(bytes);
    return new Uint8Array(this.buffer, at, bytes);
  }

  /** Whether so many bytes more can be taken without voiding anybody's views. */
  hasRoomFor(bytes: number): boolean {
    return this.#fixed && this.#hasRoom(this.#end + bytes + ALIGN);
  }

  /** Everything that was taken from here on is free again, and must be all zero again. */
  giveBack(at: number): void {
    this.#end = at;
  }

  #hasRoom(end: number): boolean {
    return end + MARGIN <= this.buffer.byteLength;
  }

  holds({ buffer }: Uint8Array): boolean {
    return buffer === this.buffer;
  }

  /** Where the core sees these bytes: where they are, or in a copy. */
  addressOf(bytes: Uint8Array): number {
    if (this.holds(bytes)) return bytes.byteOffset;
    const at = this.take(bytes.length);
    new Uint8Array(this.buffer, at, bytes.length).set(bytes);
    return at;
  }

  words(at: number, count: number): Uint32Array {
    return new Uint32Array(this.buffer, at, count);
  }
}
