// SPDX-License-Identifier: MIT
/**
 * What an address means. A linked file knows only numbers; here they get back what the assembler had: a symbol and
 * an offset, an import, a constant by its content. Everything later speaks of referents, never of addresses.
 */
import { importAt, importName, importOf, sectionAt } from '../elf/image.js';
import { R_X86_64 } from '../elf/relocations.js';
import { isCode, isConstant, isLinkage, type Section } from '../elf/sections.js';
import type { CodeFunction } from '../match/functions.js';
import type { DataObject } from '../match/objects.js';
import type { Side } from './side.js';

export type Referent =
  /** Code: a function's entry or a place in it. */
  | { readonly kind: 'function'; readonly fn: CodeFunction; readonly offset: number }
  | { readonly kind: 'object'; readonly object: DataObject; readonly offset: number }
  /** A PLT stub. */
  | { readonly kind: 'stub'; readonly name: string }
  /** A GOT slot that holds an import's address. */
  | { readonly kind: 'slot'; readonly name: string }
  /** A GOT slot that holds an address of this object. */
  | { readonly kind: 'pointer'; readonly address: number; readonly to: number }
  /** A GOT slot of thread-local storage; `key` says of which variable and model. */
  | { readonly kind: 'tls'; readonly address: number; readonly key: string }
  /** Unnamed and constant: known by content. */
  | { readonly kind: 'constant'; readonly address: number; readonly section: Section }
  /** A symbol that the linker or assembler made. */
  | { readonly kind: 'label'; readonly name: string }
  /** Nothing that has a name or content to go by. */
  | { readonly kind: 'unknown'; readonly address: number; readonly section: string | null };

const TLS_TYPES: readonly number[] = [R_X86_64.dtpmod64, R_X86_64.dtpoff64, R_X86_64.tpoff64];

export function referentAt(side: Side, address: number): Referent {
  const { image } = side;
  const section = sectionAt(image, address);
  if (section !== null && isCode(section)) {
    const slot = image.stubs.get(address);
    if (slot !== undefined) {
      const found = importAt(image, slot);
      if (found) return { kind: 'stub', name: importName(found) };
      const relocation = image.relocations.get(slot);
      if (relocation?.type === R_X86_64.irelative)
        return { kind: 'stub', name: `*ifunc ${ifuncName(side, relocation.addend)}` };
    }
    const fn = side.functionAt(address);
    if (fn) return { kind: 'function', fn, offset: address - fn.address };
  } else if (section !== null && isLinkage(section)) {
    const found = slotAt(side, address);
    if (found) return found;
  } else {
    const object = side.objectAt(address);
    if (object) return { kind: 'object', object, offset: address - object.address };
    if (section !== null && isConstant(section) && section.bytes.length > 0)
      return { kind: 'constant', address, section };
  }
  const label = side.labelAt(address);
  if (label) return { kind: 'label', name: label.name };
  return { kind: 'unknown', address, section: section?.name ?? null };
}

function slotAt(side: Side, address: number): Referent | null {
  const { image } = side;
  const relocation = image.relocations.get(address);
  if (!relocation) return null;
  const found = importAt(image, address);
  if (found) return { kind: 'slot', name: importName(found) };
  const { type, symbol, addend } = relocation;
  // no linker makes a slot that leads to a slot, and a circle of them would have no end
  if (type === R_X86_64.relative) return isSlot(side, addend) ? null : { kind: 'pointer', address, to: addend };
  if (TLS_TYPES.includes(type))
    return { kind: 'tls', address, key: `${type} ${importName(importOf(image, symbol))}+${addend}` };
  return null;
}

function isSlot({ image }: Side, address: number): boolean {
  const section = sectionAt(image, address);
  return section !== null && isLinkage(section) && image.relocations.has(address);
}

const ifuncName = (side: Side, resolver: number): string =>
  side.functionAt(resolver)?.name ?? `0x${resolver.toString(16)}`;

/** The referent in words, for reasons and refusals. */
export function describe(referent: Referent): string {
  const plus = (name: string, offset: number) => (offset === 0 ? name : `${name}+0x${offset.toString(16)}`);
  switch (referent.kind) {
    case 'function':
      return plus(referent.fn.name, referent.offset);
    case 'object':
      return plus(referent.object.name, referent.offset);
    case 'stub':
    case 'slot':
      return referent.name;
    case 'label':
      return referent.name;
    case 'pointer':
      return `a pointer to 0x${referent.to.toString(16)}`;
    case 'tls':
      return `thread-local ${referent.key}`;
    case 'constant':
      return `a constant in ${referent.section.name}`;
    case 'unknown':
      return `0x${referent.address.toString(16)}${referent.section ? ` in ${referent.section}` : ''}`;
  }
}
