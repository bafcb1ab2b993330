// SPDX-License-Identifier: MIT
/**
 * Names as numbers: equal names of several symbol tables get one number, so that a hundred thousand of them are compared
 * without decoding any. The numbers count up in the order in which names are met first.
 */
import type { SymbolTable } from './symbols.js';
import { viewOf } from './symbols.js';

const START = 0x811c9dc5;
const PRIME = 0x9e3779b1;
const DOTS = 0x2e2e2e2e;

export class NameIds {
  /** Open addressing: id + 1, or 0 for a free slot. */
  #slots = new Uint32Array(1 << 12);
  #count = 0;
  /** By id: hash, table that has it, offset and length in that table's strings, whether there is a dot in it. */
  #hashes = new Int32Array(1 << 10);
  #owners = new Uint16Array(1 << 10);
  #offsets = new Uint32Array(1 << 10);
  #lengths = new Uint32Array(1 << 10);
  #dots = new Uint8Array(1 << 10);
  readonly #texts: DataView[] = [];
  readonly #known = new Map<SymbolTable, Uint32Array>();

  get count(): number {
    return this.#count;
  }

  /** The number of each symbol's name, by index. */
  of(table: SymbolTable): Uint32Array {
    const known = this.#known.get(table);
    if (known) return known;
    const { strings, nameOffsets, count } = table;
    const owner = this.#texts.push(viewOf(strings)) - 1;
    const ids = new Uint32Array(count);
    for (let i = 0; i < count; i++) ids[i] = this.#id(owner, nameOffsets[i]!, true);
    this.#known.set(table, ids);
    return ids;
  }

  /** The number of a name that some table has; -1 if none does. */
  find(name: string): number {
    const owner = this.#texts.push(viewOf(Buffer.from(name))) - 1;
    const id = this.#id(owner, 0, false);
    this.#texts.pop();
    return id;
  }

  /** Whether there is a dot in the name. */
  hasDot(id: number): boolean {
    return this.#dots[id] === 1;
  }

  #id(owner: number, offset: number, isNew: boolean): number {
    const text = this.#texts[owner]!;
    const size = text.byteLength;
    let hash = START;
    let dots = 0;
    let at = offset;
    // four bytes at once, until one of them is the end
    for (; at + 4 <= size; at += 4) {
      const word = text.getInt32(at, true);
      if (((word - 0x01010101) & ~word & 0x80808080) !== 0) break;
      const dot = word ^ DOTS;
      dots |= (dot - 0x01010101) & ~dot & 0x80808080;
      hash = Math.imul(hash ^ word, PRIME);
      hash ^= hash >>> 15;
    }
    for (; at < size; at++) {
      const byte = text.getUint8(at);
      if (byte === 0) break;
      if (byte === 0x2e) dots = 1;
      hash = Math.imul(hash ^ byte, PRIME);
      hash ^= hash >>> 15;
    }
    const length = Math.max(0, at - offset);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const known = this.#slots[slot]! - 1;
      if (known < 0) break;
      if (
        this.#hashes[known] === hash &&
        this.#lengths[known] === length &&
        sameBytes(this.#texts[this.#owners[known]!]!, this.#offsets[known]!, text, offset, length)
      )
        return known;
      slot = (slot + 1) & mask;
    }
    if (!isNew) return -1;
    const id = this.#count++;
    if (id === this.#hashes.length) this.#lengthen();
    this.#hashes[id] = hash;
    this.#owners[id] = owner;
    this.#offsets[id] = offset;
    this.#lengths[id] = length;
    this.#dots[id] = dots === 0 ? 0 : 1;
    this.#slots[slot] = id + 1;
    if (this.#count * 2 > this.#slots.length) this.#widen();
    return id;
  }

  #lengthen(): void {
    const longer = <A extends Int32Array | Uint32Array | Uint16Array | Uint8Array>(old: A, fresh: A): A => {
      fresh.set(old);
      return fresh;
    };
    const room = this.#hashes.length * 4;
    this.#hashes = longer(this.#hashes, new Int32Array(room));
    this.#owners = longer(this.#owners, new Uint16Array(room));
    this.#offsets = longer(this.#offsets, new Uint32Array(room));
    this.#lengths = longer(this.#lengths, new Uint32Array(room));
    this.#dots = longer(this.#dots, new Uint8Array(room));
  }

  #widen(): void {
    this.#slots = new Uint32Array(this.#slots.length * 4);
    const mask = this.#slots.length - 1;
    for (let id = 0; id < this.#count; id++) {
      let slot = this.#hashes[id]! & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = id + 1;
    }
  }
}

/** Whole words first. */
function sameBytes(a: DataView, atA: number, b: DataView, atB: number, length: number): boolean {
  let i = 0;
  for (; i + 4 <= length; i += 4) if (a.getInt32(atA + i, true) !== b.getInt32(atB + i, true)) return false;
  for (; i < length; i++) if (a.getUint8(atA + i) !== b.getUint8(atB + i)) return false;
  return true;
}
