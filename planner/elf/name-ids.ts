// SPDX-License-Identifier: MIT
/**
 * Names as numbers: equal names of several symbol tables get one number, so that a hundred thousand of them are compared
 * without decoding any. The numbers count up in the order in which names are met first.
 */
import type { SymbolTable } from './symbols.js';

const FNV_START = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export class NameIds {
  /** Open addressing: id + 1, or 0 for a free slot. */
  #slots = new Uint32Array(1 << 16);
  /** By id: hash, table that has it, offset in that table's strings. */
  readonly #hashes: number[] = [];
  readonly #owners: Uint8Array[] = [];
  readonly #offsets: number[] = [];
  readonly #known = new Map<SymbolTable, Uint32Array>();

  get count(): number {
    return this.#hashes.length;
  }

  /** The number of each symbol's name, by index. */
  of(table: SymbolTable): Uint32Array {
    const known = this.#known.get(table);
    if (known) return known;
    const { strings, nameOffsets, count } = table;
    const ids = new Uint32Array(count);
    for (let i = 0; i < count; i++) ids[i] = this.#id(strings, nameOffsets[i]!);
    this.#known.set(table, ids);
    return ids;
  }

  #id(strings: Uint8Array, offset: number): number {
    let hash = FNV_START;
    for (let i = offset; i < strings.length && strings[i] !== 0; i++) hash = Math.imul(hash ^ strings[i]!, FNV_PRIME);
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const known = this.#slots[slot]! - 1;
      if (known < 0) break;
      if (this.#hashes[known] === hash && sameName(this.#owners[known]!, this.#offsets[known]!, strings, offset))
        return known;
      slot = (slot + 1) & mask;
    }
    const id = this.#hashes.length;
    this.#hashes.push(hash);
    this.#owners.push(strings);
    this.#offsets.push(offset);
    this.#slots[slot] = id + 1;
    if (id * 2 > this.#slots.length) this.#widen();
    return id;
  }

  #widen(): void {
    this.#slots = new Uint32Array(this.#slots.length * 4);
    const mask = this.#slots.length - 1;
    this.#hashes.forEach((hash, id) => {
      let slot = (hash ^ (hash >>> 15)) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = id + 1;
    });
  }
}

function sameName(a: Uint8Array, atA: number, b: Uint8Array, atB: number): boolean {
  for (let i = 0; ; i++) {
    const byte = a[atA + i] ?? 0;
    if (byte !== (b[atB + i] ?? 0)) return false;
    if (byte === 0) return true;
  }
}
