// SPDX-License-Identifier: MIT
/**
 * Addresses in the code of a program that is not position-independent: operands that a linker filled in. Where --emit-relocs kept
 * the linker's list, it says which; otherwise what lies at the address does, and `certain` says whether it leaves no doubt.
 * Code that can be moved has none of them.
 */
import type { Instruction } from '../core/instruction.js';
import { sectionAt } from '../elf/image.js';
import { R_X86_64 } from '../elf/relocations.js';
import { type CodeFunction, indexAt } from '../match/functions.js';
import { textAt } from './constants.js';
import type { Context } from './context.js';
import { instructionsOf, referenceOf } from './instructions.js';
import { type Operand, operandsOf } from './operands.js';
import { type Reference, sameReference } from './references.js';
import { referentAt } from './referent.js';
import type { Side } from './side.js';

export interface AbsoluteField extends Operand {
  readonly certain: boolean;
}

export function absoluteFields(side: Side, fn: CodeFunction, instruction: Instruction): AbsoluteField[] {
  if (side.image.kind !== 'exec') return [];
  const kept = side.keepsRelocations(fn.section);
  const fields: AbsoluteField[] = [];
  for (const operand of operandsOf(fn, instruction)) {
    const { at, value, displacement, alone, sum, long } = operand;
    const type = side.image.keptRelocations.get(fn.address + instruction.offset + at)?.type ?? 0;
    if ((kept && !ABSOLUTE.includes(type)) || !isLoadedAddress(side, value)) continue;
    const offset = displacement && !sum && referentAt(side, value).kind === 'object';
    fields.push({ ...operand, certain: kept || alone || long || offset || isStart(side, value) });
  }
  return fields;
}

const ABSOLUTE: readonly number[] = [R_X86_64.abs32, R_X86_64.abs32s, R_X86_64.abs64];

export const absoluteReference = (fn: CodeFunction, { value, alone }: AbsoluteField): Reference => ({
  from: fn,
  address: value,
  loaded: alone,
});

/** Everything that `fn` refers to, relative to the instruction or absolutely. */
export function referencesIn(side: Side, fn: CodeFunction): Reference[] {
  return instructionsOf(fn).flatMap((instruction) => [
    ...(instruction.fieldSize > 0 ? [referenceOf(fn, instruction)] : []),
    ...absoluteFields(side, fn, instruction)
      .filter(({ certain, value }) => certain || isPossible(side, value))
      .map((field) => absoluteReference(fn, field)),
  ]);
}

/** Two instructions of fixed programs agree but for what the linker filled in, and that means the same. */
export function sameWithAddresses(
  context: Context,
  a: CodeFunction,
  x: Instruction,
  b: CodeFunction,
  y: Instruction,
): boolean {
  const { before, after } = context;
  const olds = absoluteFields(before, a, x);
  const news = absoluteFields(after, b, y);
  if (x.hash !== y.hash && !sameApartFrom(a, x, b, y, [...olds, ...news])) return false;
  for (const at of new Set([...olds, ...news].map((field) => field.at))) {
    const [old, now] = [olds.find((field) => field.at === at), news.find((field) => field.at === at)];
    if (old && now && sameReference(context, absoluteReference(a, old), absoluteReference(b, now))) continue;
    // the same number in both files, and no address in one at least
    const number = [
      [before, old],
      [after, now],
    ].some(
      ([side, field]) =>
        !field || (!(field as AbsoluteField).certain && !isPossible(side as Side, (field as AbsoluteField).value)),
    );
    if (x.hash !== y.hash || !number) return false;
  }
  return true;
}

/** All bytes agree outside of `fields` and of what is relative to the instruction. */
function sameApartFrom(
  a: CodeFunction,
  x: Instruction,
  b: CodeFunction,
  y: Instruction,
  fields: readonly Operand[],
): boolean {
  if (x.length !== y.length || x.opcode !== y.opcode || x.modrm !== y.modrm || fields.length === 0) return false;
  const [old, now] = [a.address - a.section.address + x.offset, b.address - b.section.address + y.offset];
  for (let i = 0; i < x.length; i++) {
    if (i >= x.fieldAt && i < x.fieldAt + x.fieldSize) continue;
    if (fields.some(({ at, size }) => i >= at && i < at + size)) continue;
    if (a.section.bytes[old + i] !== b.section.bytes[now + i]) return false;
  }
  return true;
}

/** It may be an address: not the middle of an instruction, and not nothing. */
export function isPossible(side: Side, address: number): boolean {
  const referent = referentAt(side, address);
  if (referent.kind === 'function') return indexAt(referent.fn, referent.offset) !== null;
  return referent.kind !== 'unknown' || side.objectBefore(address) !== null;
}

/** At or right behind something loaded, or where the linker says that it ends. */
const isLoadedAddress = (side: Side, address: number): boolean =>
  sectionAt(side.image, address) !== null ||
  (address > 0 && sectionAt(side.image, address - 1) !== null) ||
  side.bordersAt(address).length > 0;

/** Something begins there. */
function isStart(side: Side, address: number): boolean {
  const referent = referentAt(side, address);
  switch (referent.kind) {
    case 'function':
    case 'object':
      return referent.offset === 0;
    case 'constant': {
      const { section } = referent;
      const before = address === section.address ? 0 : section.bytes[address - 1 - section.address]!;
      return before === 0 || textAt(side, address) === null || side.objectBefore(address) !== null;
    }
    case 'unknown':
      return false;
    default:
      return true;
  }
}
