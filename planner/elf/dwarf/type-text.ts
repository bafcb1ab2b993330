// SPDX-License-Identifier: MIT
/**
 * Types, told apart by what their bytes mean (`shapeOf`) and spelled for people (`typeText`).
 *
 * A shape leaves out what old and new code may disagree about without harm: names of typedefs, qualifiers, signs of integers,
 * and what a pointer to void points at.
 */
import type { DebugInfo } from './debug-info.js';
import type { Entry, Link } from './entries.js';
import { ENCODING, TAG } from './names.js';

export interface Shape {
  /** `int4`, `float8`, `pointer`, `struct request`, `int1[16]`, `void`. */
  readonly text: string;
  /** Of a pointer to a structure with a name: that structure. */
  readonly pointee: string | null;
}

const DEEPEST = 32;
const POINTERS: ReadonlySet<number> = new Set([TAG.pointer, TAG.reference, TAG.rvalueReference]);
const QUALIFIERS: ReadonlySet<number> = new Set([TAG.const, TAG.volatile, TAG.restrict, TAG.atomic]);
export const WORDS: Readonly<Record<number, string>> = {
  [TAG.struct]: 'struct',
  [TAG.class]: 'class',
  [TAG.union]: 'union',
  [TAG.enumeration]: 'enum',
};

export const isPointer = ({ tag }: Entry): boolean => POINTERS.has(tag);
export const isQualifier = ({ tag }: Entry): boolean => QUALIFIERS.has(tag);
export const isStructure = ({ tag }: Entry): boolean => tag === TAG.struct || tag === TAG.class || tag === TAG.union;

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.text === b.text && (a.pointee === null || b.pointee === null || a.pointee === b.pointee);

/** A type unit holds what the units that use the type only stand for. */
export const definitionOf = (info: DebugInfo, type: Entry): Entry =>
  (typeof type.origin === 'string' && info.entry(type.origin)) || type;

/** The type without typedefs and qualifiers; null for void. */
export function bareType(info: DebugInfo, link: Link): Entry | null {
  let type = info.entry(link);
  for (let depth = 0; type && depth < DEEPEST; depth++) {
    if (type.tag !== TAG.typedef && !isQualifier(type)) return definitionOf(info, type);
    type = info.entry(type.type);
  }
  return null;
}

export function shapeOf(info: DebugInfo, link: Link, depth = 0): Shape {
  const plain = (text: string): Shape => ({ text, pointee: null });
  const type = bareType(info, link);
  if (type === null || depth > DEEPEST) return plain('void');
  if (isPointer(type)) {
    const to = bareType(info, type.type);
    return { text: 'pointer', pointee: to && isStructure(to) && to.name !== '' ? to.name : null };
  }
  if (type.tag === TAG.unspecifiedType) return plain('pointer');
  if (type.tag === TAG.base) {
    const word = type.encoding === ENCODING.float ? 'float' : type.encoding === ENCODING.complex ? 'complex' : 'int';
    return plain(`${word}${type.size}`);
  }
  if (type.tag === TAG.enumeration) return plain(`int${type.size}`);
  if (type.tag === TAG.array) {
    const element = shapeOf(info, type.type, depth + 1);
    return { ...element, text: element.text + dimensions(type) };
  }
  if (isStructure(type)) return plain(`${WORDS[type.tag]} ${type.name}`);
  return plain(type.tag === TAG.pointerToMember ? 'pointer to member' : 'function');
}

const dimensions = (array: Entry): string =>
  array.children
    .filter(({ tag }) => tag === TAG.subrange)
    .map(({ count }) => `[${count < 0 ? '' : count}]`)
    .join('');

/** As C writes it, nearly: `const char *`, `struct request *`, `int[4]`. */
export function typeText(info: DebugInfo, link: Link, depth = 0): string {
  const stub = info.entry(link);
  if (stub === null) return 'void';
  const type = definitionOf(info, stub);
  if (depth > DEEPEST) return '…';
  const inner = () => typeText(info, type.type, depth + 1);
  if (isPointer(type)) {
    const to = inner();
    const mark = type.tag === TAG.pointer ? '*' : type.tag === TAG.reference ? '&' : '&&';
    return /[*&]$/.test(to) ? to + mark : `${to} ${mark}`;
  }
  if (type.tag === TAG.const) return `const ${inner()}`;
  if (type.tag === TAG.volatile) return `volatile ${inner()}`;
  if (isQualifier(type)) return inner();
  if (type.tag === TAG.array) return inner() + dimensions(type);
  if (type.tag === TAG.subroutine) return 'function';
  const word = WORDS[type.tag];
  if (word === undefined) return type.name || '?';
  return type.tag === TAG.class ? type.name || 'class' : `${word} ${type.name || '{…}'}`;
}
