// SPDX-License-Identifier: MIT
/** Collects a patch's sections, symbols and relocations; equal symbols are one. Order of calls is order in the file. */
import type { LinkAddress } from '../addresses.js';
import { linkAddress } from '../addresses.js';
import { R_X86_64 } from '../elf/relocations.js';
import type { PatchRelocation, PatchSection, PatchSymbol, SectionKind, SymbolBinding } from '../patch-file/model.js';

/** Where a relocation leads: a symbol and what to add to it. */
export interface Binding {
  readonly symbol: number;
  readonly offset: number;
  /** Not the symbol itself: a slot that holds its address, or a stub that jumps to it. The runtime makes them. */
  readonly via?: 'slot' | 'stub';
}

export class PatchBuilder {
  readonly sections: PatchSection[] = [];
  readonly symbols: PatchSymbol[] = [];
  readonly relocations: PatchRelocation[] = [];
  readonly #known = new Map<string, number>();

  /** A section of a copy of `bytes`, which the caller may go on to write to. */
  addSection(name: string, kind: SectionKind, align: number, bytes: Uint8Array): number {
    return this.sections.push({ name, kind, align, size: bytes.length, bytes }) - 1;
  }

  addBss(name: string, align: number, size: number): number {
    return this.sections.push({ name, kind: 'bss', align, size, bytes: new Uint8Array(0) }) - 1;
  }

  inPatch(name: string, section: number, offset: number): Binding {
    return { symbol: this.#symbol(name, { kind: 'patch', section, offset }), offset: 0 };
  }

  inTarget(name: string, address: number, offset: number): Binding {
    return { symbol: this.#symbol(name, { kind: 'target', address: linkAddress(address) as LinkAddress }), offset };
  }

  imported(name: string, version: string | null, weak: boolean): Binding {
    return { symbol: this.#symbol(name, { kind: 'import', version, ...(weak ? { weak: true } : {}) }), offset: 0 };
  }

  /** jmp *slot(%rip), in a section of its own. */
  stub(name: string, slot: Binding): Binding {
    const text = `${name}@stub`;
    const known = this.#known.get(text);
    if (known !== undefined) return { symbol: known, offset: 0 };
    const section = this.addSection(
      `.text.stub.${name}`,
      'code',
      16,
      Uint8Array.of(0xff, 0x25, 0, 0, 0, 0, 0xcc, 0xcc),
    );
    this.relocate(section, 2, R_X86_64.gotpcrel, slot, -4);
    const stub = this.inPatch(text, section, 0);
    this.#known.set(text, stub.symbol);
    return stub;
  }

  relocate(section: number, offset: number, type: number, to: Binding, addend: number): void {
    this.relocations.push({ section, offset, type, symbol: to.symbol, addend: to.offset + addend });
  }

  #symbol(name: string, binding: SymbolBinding): number {
    const key = `${name} ${JSON.stringify(binding)}`;
    let index = this.#known.get(key);
    if (index === undefined) {
      index = this.symbols.push({ name, binding }) - 1;
      this.#known.set(key, index);
    }
    return index;
  }
}
