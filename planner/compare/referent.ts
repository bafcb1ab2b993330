// SPDX-License-Identifier: MIT
/**
 * What an address means. A linked file knows only numbers; here they get back what the assembler had: a symbol and
 * an offset, an import, a constant by its content. Everything later speaks of referents, never of addresses.
 */
import { bytesAt, type ElfImage, importAt, importName, importOf, sectionAt } from '../elf/image.js';
import { R_X86_64 } from '../elf/relocations.js';
import { isCode, isConstant, isLinkage, isUnwinding, isWritable, type Section } from '../elf/sections.js';
import { viewOf } from '../elf/symbols.js';
import { threadVariables, variableAt, variableKey } from '../elf/thread-local.js';
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
  /**
   * A GOT slot with a variable's distance from the thread pointer, or a pair of slots with a module and a distance in its block, or with
   * a function that gives the distance and what it is asked. Null is the block as a whole.
   */
  | {
      readonly kind: 'tls';
      readonly address: number;
      readonly model: 'distance' | 'pair' | 'descriptor';
      readonly variable: string | null;
    }
  /** Unnamed and constant: known by content. */
  | { readonly kind: 'constant'; readonly address: number; readonly section: Section }
  /** A symbol that the linker or assembler made. */
  | { readonly kind: 'label'; readonly name: string }
  /** Nothing that has a name or content to go by. */
  | { readonly kind: 'unknown'; readonly address: number; readonly section: string | null };

export function referentAt(side: Side, address: number): Referent {
  const { image } = side;
  const section = sectionAt(image, address);
  if (section !== null && isCode(section)) {
    const slot = image.stubs.get(address);
    if (slot !== undefined) {
      const name = slotName(side, slot);
      if (name !== null) return { kind: 'stub', name };
    }
    const fn = side.functionAt(address);
    if (fn) return { kind: 'function', fn, offset: address - fn.address };
  } else if (section !== null && isLinkage(section)) {
    const found = slotAt(side, address);
    if (found) return found;
  } else if (section === null || !isUnwinding(section)) {
    const object = side.objectAt(address);
    if (object) return { kind: 'object', object, offset: address - object.address };
    if (section !== null && section.bytes.length > 0 && (isConstant(section) || isUnnamed(side, section, address)))
      return { kind: 'constant', address, section };
  }
  const label = side.labelAt(address);
  if (label) return { kind: 'label', name: label.name };
  return { kind: 'unknown', address, section: section?.name ?? null };
}

/**
 * In .data, and no symbol's: compilers put constants with addresses in them there, which they fill into local variables or
 * exception tables, and give them no name. Variables all have one, and so have an assembler's.
 */
function isUnnamed(side: Side, section: Section, address: number): boolean {
  return isWritable(section) && side.labelAt(address) === null && !side.isNamed(section, address);
}

function slotAt(side: Side, address: number): Referent | null {
  const { image } = side;
  const relocation = image.relocations.get(address);
  if (!relocation) return null;
  const name = slotName(side, address);
  if (name !== null) return { kind: 'slot', name };
  const { type, symbol, addend } = relocation;
  // no linker makes a slot that leads to a slot, and a circle of them would have no end
  if (type === R_X86_64.relative) return isSlot(side, addend) ? null : { kind: 'pointer', address, to: addend };
  if (type === R_X86_64.tpoff64)
    return { kind: 'tls', address, model: 'distance', variable: variableName(image, symbol, addend) };
  if (type === R_X86_64.tlsdesc) {
    const whole = symbol === 0 && addend === 0;
    return { kind: 'tls', address, model: 'descriptor', variable: whole ? null : variableName(image, symbol, addend) };
  }
  if (type !== R_X86_64.dtpmod64) return null;
  // of a local variable the linker knows the distance itself
  const bytes = bytesAt(image, address + 8, 8);
  const distance = bytes === null || bytes.length < 8 ? 0 : Number(viewOf(bytes).getBigUint64(0, true));
  const whole = symbol === 0 && distance === 0;
  return { kind: 'tls', address, model: 'pair', variable: whole ? null : variableName(image, symbol, distance) };
}

function isSlot({ image }: Side, address: number): boolean {
  const section = sectionAt(image, address);
  return section !== null && isLinkage(section) && image.relocations.has(address);
}

/** By the name it has in the symbol table, so that both files call it the same. */
function variableName(image: ElfImage, symbol: number, addend: number): string {
  const { sectionIndices, values } = image.dynamicTable;
  if (symbol !== 0 && sectionIndices[symbol] === 0) return `${importName(importOf(image, symbol))}+${addend}`;
  const offset = (symbol === 0 ? 0 : values[symbol]!) + addend;
  const variable = variableAt(threadVariables(image), offset);
  return variable === null ? `offset ${offset}` : `${variableKey(variable)}+${offset - variable.offset}`;
}

/** What a GOT slot is bound to by name: an import, or what a resolver of this object chooses. */
export function slotName({ image, functionAt }: Pick<Side, 'image' | 'functionAt'>, slot: number): string | null {
  const found = importAt(image, slot);
  if (found) return importName(found);
  const relocation = image.relocations.get(slot);
  if (relocation?.type !== R_X86_64.irelative) return null;
  return `*ifunc ${functionAt(relocation.addend)?.name ?? `0x${relocation.addend.toString(16)}`}`;
}

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
      return `thread-local ${referent.variable ?? 'storage'}`;
    case 'constant':
      return `a constant in ${referent.section.name}`;
    case 'unknown':
      return `0x${referent.address.toString(16)}${referent.section ? ` in ${referent.section}` : ''}`;
  }
}
