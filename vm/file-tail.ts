// SPDX-License-Identifier: MIT
// Follow a file that somebody else appends to: every byte exactly once, in order, without waiting for the writer's end.

import { type FileHandle, open } from 'node:fs/promises';

export class FileTail {
  readonly #path: string;
  readonly #onBytes: (bytes: Buffer) => void;
  readonly #kept: Buffer[] = [];
  #file: FileHandle | null = null;
  #at = 0;
  /** Drains come from a timer and may overlap; they are run one after the other. */
  #last: Promise<void> = Promise.resolve();

  /** Without a handler the bytes are kept for `collected`. */
  constructor(path: string, onBytes?: (bytes: Buffer) => void) {
    this.#path = path;
    this.#onBytes = onBytes ?? ((bytes) => void this.#kept.push(bytes));
  }

  /** Hand on everything that is there by now. */
  drain(): Promise<void> {
    this.#last = this.#last.then(() => this.#readOn());
    return this.#last;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#file?.close();
    this.#file = null;
  }

  collected(): Buffer {
    return Buffer.concat(this.#kept);
  }

  async #readOn(): Promise<void> {
    this.#file ??= await open(this.#path, 'r');
    for (;;) {
      const room = Buffer.allocUnsafe(64 * 1024);
      const { bytesRead } = await this.#file.read(room, 0, room.length, this.#at);
      if (bytesRead === 0) return;
      this.#at += bytesRead;
      this.#onBytes(room.subarray(0, bytesRead));
    }
  }
}
