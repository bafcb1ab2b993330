// SPDX-License-Identifier: MIT
/**
 * References that the loader binds by name: PLT stubs and GOT slots. The old file's own are used where it has them. For an
 * import that is new the runtime makes them, and finds the symbol as the loader would; so it does for what the old file exports,
 * which another object may have replaced or hold a copy of. What only the new file exports is bound directly.
 *
 * Refused: the content of a variable of another object that the linker copied into the new file (there is no room for the copy; its
 * address is fine where a pointer or an instruction can take one that is far away), and a
 * function whose implementation a resolver of the new file would choose.
 */
import { referentAt } from '../compare/referent.js';
import { importName, importOf } from '../elf/image.js';
import { R_X86_64 } from '../elf/relocations.js';
import { STB_WEAK } from '../elf/symbols.js';
import type { DataObject } from '../match/objects.js';
import type { Binder, Place } from './bind.js';
import type { Binding } from './builder.js';
import type { DataCopier } from './copy.js';

export class NameBinder {
  /** name@version of what new code uses of other objects. */
  readonly imports = new Set<string>();
  readonly #binder: Binder;
  readonly #copier: DataCopier;

  constructor(binder: Binder, copier: DataCopier) {
    this.#binder = binder;
    this.#copier = copier;
  }

  /** The PLT stub at `address` of the new file. */
  stub(address: number, name: string, place: Place): Binding | null {
    const { before, after } = this.#binder.plan.context;
    const slot = after.image.stubs.get(address)!;
    this.#note(slot);
    const old = before.stubOf.get(name);
    if (old !== undefined) return this.#binder.builder.inTarget(`${name}@plt`, old, 0);
    return this.#fresh(slot, 'stub', name, place);
  }

  /** The GOT slot at `address` of the new file. */
  slot(address: number, name: string, place: Place): Binding | null {
    this.#note(address);
    const old = this.#binder.plan.context.before.slotOf.get(name);
    if (old !== undefined) return this.#binder.builder.inTarget(`${name}@got`, old, 0);
    return this.#fresh(address, 'slot', name, place);
  }

  /** What the loader would write for dynamic symbol `index`, to be written into data. */
  value(index: number, addend: number, place: Place): Binding | null {
    const own = this.#ownAddress(index);
    if (own === null) return { ...this.#imported(index), offset: addend };
    const to = this.#binder.bind({ from: null, address: own, loaded: false }, { ...place, direct: false });
    return to && { ...to, offset: to.offset + addend };
  }

  /** `offset` into a variable of another object that the linker copied into the new file, and not into the old one. */
  copied({ name, address }: DataObject, offset: number, place: Place): Binding | null {
    const { takes } = place;
    const { image } = this.#binder.plan.context.after;
    if (takes === undefined || (takes === 'lea' && offset !== 0))
      return this.#binder.refuse(
        'IMPORT_NEW',
        name,
        `${place.at} needs ${name}, a variable of another object that the old file has no copy of; reach it through a function or a pointer, or build both with -fPIC`,
      );
    const found = importOf(image, image.relocations.get(address)!.symbol);
    this.imports.add(importName(found));
    const variable = this.#binder.builder.imported(found.name, found.version, false);
    return takes === 'lea' ? { ...variable, via: 'slot' } : { ...variable, offset };
  }

  #fresh(slot: number, via: 'slot' | 'stub', name: string, place: Place): Binding | null {
    const { image } = this.#binder.plan.context.after;
    const relocation = image.relocations.get(slot)!;
    if (relocation.type === R_X86_64.irelative)
      return this.#binder.refuse(
        'IFUNC_NEW',
        place.fn?.name ?? null,
        `${place.at} needs ${name.replace('*ifunc ', 'what is chosen by ')}, which chooses when the process starts, and the old file does not have it; call one implementation by its name`,
      );
    const own = this.#ownAddress(relocation.symbol);
    if (own === null) return { ...this.#imported(relocation.symbol), via };
    const reference = { from: null, address: own, loaded: false };
    if (via === 'stub') return this.#binder.bind(reference, place);
    const to = this.#binder.bind(reference, { ...place, direct: false });
    return to && this.#copier.pointer(to);
  }

  /** Where the new file defines the dynamic symbol; null if another object does, or the old file exports it too. */
  #ownAddress(index: number): number | null {
    const { before, after } = this.#binder.plan.context;
    const symbol = after.image.dynamicSymbols[index];
    if (symbol === undefined || symbol.section === 0) return null;
    // a definition that is itself a stub or a slot is none of its own
    if (['stub', 'slot'].includes(referentAt(after, symbol.value).kind)) return null;
    const exported = before.image.dynamicSymbols.some(({ name, section }) => section !== 0 && name === symbol.name);
    return exported ? null : symbol.value;
  }

  #imported(index: number): Binding {
    const { image } = this.#binder.plan.context.after;
    const { name, version } = importOf(image, index);
    const symbol = image.dynamicSymbols[index];
    const own = symbol !== undefined && symbol.section !== 0;
    if (!own) this.imports.add(importName({ name, version }));
    return this.#binder.builder.imported(name, version, !own && symbol?.bind === STB_WEAK);
  }

  #note(slot: number): void {
    const { image } = this.#binder.plan.context.after;
    const index = image.relocations.get(slot)?.symbol ?? 0;
    if (index !== 0 && image.dynamicSymbols[index]?.section === 0) this.imports.add(importName(importOf(image, index)));
  }
}
