// SPDX-License-Identifier: MIT
/**
 * A loaded object's dynamic section, read from the process: symbols by name and version through DT_GNU_HASH, the loader's
 * list of objects, and the slots that the loader has relocated.
 *
 * Invariant: only reads that are bounded by a constant or by a size that has been checked; the target may lie, and then
 * a symbol is not found. Objects without DT_GNU_HASH define nothing for us.
 */
import type { LoadedObject } from './object.js';
import type { Process } from './process.js';

const DT = {
  NEEDED: 1,
  PLTRELSZ: 2,
  STRTAB: 5,
  SYMTAB: 6,
  RELA: 7,
  RELASZ: 8,
  STRSZ: 10,
  SONAME: 14,
  DEBUG: 21,
  JMPREL: 23,
  GNU_HASH: 0x6ffffef5,
  VERSYM: 0x6ffffff0,
  VERDEF: 0x6ffffffc,
  VERDEFNUM: 0x6ffffffd,
  VERNEED: 0x6ffffffe,
  VERNEEDNUM: 0x6fffffff,
} as const;

export const STT_TLS = 6;
export const STT_GNU_IFUNC = 10;
const R_GLOB_DAT = 6;
const R_JUMP_SLOT = 7;
const R_IRELATIVE = 37;
const SYMBOL_SIZE = 24;
const RELA_SIZE = 24;
const LIMIT = 16 * 1024 * 1024;
/** Of symbols with one hash, or of versions: what linkers make has some dozens. */
const LONGEST_CHAIN = 4096;
const MOST_NAMESPACES = 64;
const MOST_OBJECTS = 4096;
const VERSYM_HIDDEN = 0x8000;

export interface DynamicSymbol {
  readonly type: number;
  /** Run-time value. */
  readonly value: number;
}

export class DynamicObject {
  readonly object: LoadedObject;
  private readonly process: Process;
  private readonly tags = new Map<number, number>();
  private readonly neededNames: number[] = [];
  private readonly strings: Buffer;

  constructor(process: Process, object: LoadedObject) {
    this.process = process;
    this.object = object;
    const section = object.dynamic && object.dynamic.size <= LIMIT ? object.dynamic : null;
    const table = (section && process.read(section.address, section.size - (section.size % 16))) ?? Buffer.alloc(0);
    for (let at = 0; at + 16 <= table.length; at += 16) {
      const [tag, value] = [Number(table.readBigUInt64LE(at)), Number(table.readBigUInt64LE(at + 8))];
      this.tags.set(tag, value);
      if (tag === DT.NEEDED) this.neededNames.push(value);
    }
    this.strings = this.table(DT.STRTAB, this.tags.get(DT.STRSZ) ?? 0);
  }

  /**
   * The loader's lists of objects, one for each namespace: the addresses of their dynamic sections in load order; [] if they
   * are not here. A second namespace stands in a list of lists since glibc 2.35 (elf/link.h, struct r_debug_extended).
   */
  namespaces(): number[][] {
    const lists: number[][] = [];
    const seen = new Set<number>();
    let debug = this.tags.get(DT.DEBUG) ?? 0;
    while (debug !== 0 && lists.length < MOST_NAMESPACES) {
      const order: number[] = [];
      let link = this.u64(debug + 8);
      while (link !== 0 && order.length < MOST_OBJECTS && !seen.has(link)) {
        seen.add(link);
        order.push(this.u64(link + 16));
        link = this.u64(link + 24);
      }
      if (order.length > 0) lists.push(order);
      debug = this.u32(debug) >= 2 ? this.u64(debug + 40) : 0;
    }
    return lists;
  }

  /** What it calls itself, null if nothing. */
  soname(): string | null {
    const at = this.tags.get(DT.SONAME);
    return at === undefined ? null : this.string(at);
  }

  /** What the objects that it needs call themselves. */
  needed(): string[] {
    return this.neededNames.map((at) => this.string(at)).filter((name) => name !== null);
  }

  /** The definition of `name`, of `version` if one is given and the object has versions, else the default one. */
  lookup(name: string, version: string | null): DynamicSymbol | null {
    const hash = this.pointer(DT.GNU_HASH);
    const header = hash ? this.process.read(hash, 16) : null;
    if (!hash || !header) return null;
    const [buckets, first, bloom] = [0, 4, 8].map((at) => header.readUInt32LE(at)) as [number, number, number];
    if (buckets === 0) return null;
    const wanted = gnuHash(name);
    const bucketAt = hash + 16 + bloom * 8;
    const chainAt = bucketAt + buckets * 4;
    let index = this.u32(bucketAt + (wanted % buckets) * 4);
    if (index < first) return null;
    for (let left = LONGEST_CHAIN; left > 0; left--, index++) {
      const entry = this.u32(chainAt + (index - first) * 4);
      if ((entry | 1) >>> 0 === (wanted | 1) >>> 0) {
        const symbol = this.definition(index, name, version);
        if (symbol) return symbol;
      }
      if (entry & 1) break;
    }
    return null;
  }

  /** The values that the loader has put into this object's slots for `name`. */
  slotValues(name: string): number[] {
    return this.relocations()
      .filter(({ type }) => type === R_GLOB_DAT || type === R_JUMP_SLOT)
      .filter(({ symbol }) => {
        const entry = this.symbol(symbol);
        return entry !== null && this.string(entry.readUInt32LE(0)) === name;
      })
      .map(({ slot }) => this.u64(slot));
  }

  /** What this object's own slots hold for the function that `resolver`, a run-time address, chooses. */
  chosenBy(resolver: number): number[] {
    return this.relocations()
      .filter(({ type, addend }) => type === R_IRELATIVE && addend + this.object.bias === resolver)
      .map(({ slot }) => this.u64(slot));
  }

  /** Its symbols have versions. */
  get hasVersions(): boolean {
    return this.tags.has(DT.VERSYM);
  }

  private definition(index: number, name: string, version: string | null): DynamicSymbol | null {
    const symbol = this.symbol(index);
    if (!symbol || symbol.readUInt16LE(6) === 0 || this.string(symbol.readUInt32LE(0)) !== name) return null;
    if (!this.hasVersion(index, version)) return null;
    const type = symbol[4]! & 0xf;
    return { type, value: Number(symbol.readBigUInt64LE(8)) + (type === STT_TLS ? 0 : this.object.bias) };
  }

  private hasVersion(index: number, version: string | null): boolean {
    const table = this.pointer(DT.VERSYM);
    const entry = table ? this.process.read(table + index * 2, 2)?.readUInt16LE() : undefined;
    if (entry === undefined) return true;
    if (version === null) return (entry & VERSYM_HIDDEN) === 0;
    return this.versionName(entry & ~VERSYM_HIDDEN) === version;
  }

  /** A copy-relocated object is defined here under a version that another object defines: needed ones count too. */
  private versionName(index: number): string | null {
    return this.definedVersion(index) ?? this.neededVersion(index);
  }

  private definedVersion(index: number): string | null {
    for (const at of this.chain(this.pointer(DT.VERDEF), this.tags.get(DT.VERDEFNUM), 16)) {
      const entry = this.process.read(at, 16);
      if (entry?.readUInt16LE(4) === index) return this.string(this.u32(at + entry.readUInt32LE(12)));
    }
    return null;
  }

  private neededVersion(index: number): string | null {
    for (const at of this.chain(this.pointer(DT.VERNEED), this.tags.get(DT.VERNEEDNUM), 12)) {
      const entry = this.process.read(at, 12);
      if (!entry) return null;
      for (const aux of this.chain(at + entry.readUInt32LE(8), entry.readUInt16LE(2), 12)) {
        const version = this.process.read(aux, 12);
        if (version?.readUInt16LE(6) === index) return this.string(version.readUInt32LE(8));
      }
    }
    return null;
  }

  /** The addresses of up to `count` entries; `next` is where an entry holds the distance to the one behind it. */
  private *chain(first: number | null, count: number | undefined, next: number): Generator<number> {
    let at = first ?? 0;
    for (let left = Math.min(count ?? 0, LONGEST_CHAIN); at !== 0 && left > 0; left--) {
      yield at;
      const distance = this.u32(at + next);
      if (distance === 0) return;
      at += distance;
    }
  }

  private relocations(): { slot: number; type: number; symbol: number; addend: number }[] {
    const tables = [
      this.table(DT.JMPREL, this.tags.get(DT.PLTRELSZ) ?? 0),
      this.table(DT.RELA, this.tags.get(DT.RELASZ) ?? 0),
    ];
    return tables.flatMap((table) =>
      Array.from({ length: Math.floor(table.length / RELA_SIZE) }, (_, i) => {
        const at = i * RELA_SIZE;
        return {
          slot: Number(table.readBigUInt64LE(at)) + this.object.bias,
          type: table.readUInt32LE(at + 8),
          symbol: table.readUInt32LE(at + 12),
          addend: Number(table.readBigInt64LE(at + 16)),
        };
      }),
    );
  }

  private symbol(index: number): Buffer | null {
    const table = this.pointer(DT.SYMTAB);
    return table ? this.process.read(table + index * SYMBOL_SIZE, SYMBOL_SIZE) : null;
  }

  private string(offset: number): string | null {
    const end = this.strings.indexOf(0, offset);
    return end < 0 ? null : this.strings.toString('utf8', offset, end);
  }

  private table(tag: number, size: number): Buffer {
    const at = this.pointer(tag);
    return (at && size > 0 && size <= LIMIT ? this.process.read(at, size) : null) ?? Buffer.alloc(0);
  }

  /** The loader adds the bias to most pointers in memory, but not in every object and not with every C library. */
  private pointer(tag: number): number | null {
    const value = this.tags.get(tag);
    if (value === undefined) return null;
    return value < this.object.start ? value + this.object.bias : value;
  }

  private u32 = (at: number): number => this.process.read(at, 4)?.readUInt32LE() ?? 0;
  private u64 = (at: number): number => {
    const value = Number(this.process.read(at, 8)?.readBigUInt64LE() ?? 0n);
    return Number.isSafeInteger(value) ? value : 0;
  };
}

/** The hash of DT_GNU_HASH: h * 33 + c from 5381, in 32 bits. */
export function gnuHash(name: string): number {
  let hash = 5381;
  for (const byte of Buffer.from(name, 'utf8')) hash = (Math.imul(hash, 33) + byte) >>> 0;
  return hash;
}
