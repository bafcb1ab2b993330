// SPDX-License-Identifier: MIT
/**
 * Absolute addresses in new code of a program that is not position-independent become relocations. Where the bytes leave a doubt whether
 * something is an address or a number, the old function tells: it has the old address then, or the same number. If it has neither,
 * or both, nobody guesses (ABSOLUTE_AMBIGUOUS).
 */
import { type AbsoluteField, absoluteReference, isPossible, referencesIn } from '../compare/absolute.js';
import { possibleAddresses } from '../compare/operands.js';
import { referentAt } from '../compare/referent.js';
import { R_X86_64 } from '../elf/relocations.js';
import { type CodeFunction, unitOf } from '../match/functions.js';
import type { Binder } from './bind.js';
import type { Binding } from './builder.js';
import { wholeText } from './pieces.js';

/** What the field is to be relocated against; `number`: it is none; null after a refusal. */
export function bindAbsolute(
  binder: Binder,
  fn: CodeFunction,
  field: AbsoluteField,
  at: string,
): Binding | 'number' | null {
  const { after } = binder.plan.context;
  if (!field.certain) {
    if (!isPossible(after, field.value)) return 'number';
    const old = oldAddress(binder, field.value);
    const values = oldValues(binder, fn);
    const asAddress = (old !== null && values.has(old)) || usesNeighbour(binder, fn, field.value);
    const asNumber = values.has(field.value);
    if (old !== field.value && asAddress === asNumber)
      return binder.refuse(
        'ABSOLUTE_AMBIGUOUS',
        fn.name,
        `${at} holds 0x${field.value.toString(16)}, which may be an address or a number; build both files with -Wl,--emit-relocs, or position-independent`,
      );
    if (asNumber) return 'number';
  }
  const bound = binder.bind(absoluteReference(fn, field), { at, direct: false, fn });
  return bound?.via === undefined ? bound : binder.ownStub(bound);
}

export const absoluteType = ({ size, signed }: AbsoluteField): number =>
  size === 8 ? R_X86_64.abs64 : signed ? R_X86_64.abs32s : R_X86_64.abs32;

/** Where the old file has what lies at `address` of the new one. */
function oldAddress({ plan }: Binder, address: number): number | null {
  const { after, functions, objects } = plan.context;
  const referent = referentAt(after, address);
  const ended = referent.kind === 'unknown' ? after.objectBefore(address) : null;
  const object = referent.kind === 'object' ? referent.object : ended;
  if (object !== null) {
    const old = objects.oldOf.get(object);
    return old === undefined ? null : old.address + address - object.address;
  }
  if (referent.kind !== 'function') return null;
  const old = functions.oldOf.get(referent.fn);
  return old === undefined ? null : old.address + referent.offset;
}

function oldValues({ plan }: Binder, fn: CodeFunction): Set<number> {
  const old = plan.context.functions.oldOf.get(unitOf(fn));
  return new Set(old === undefined ? [] : [old, ...old.parts].flatMap(possibleAddresses));
}

/** The function refers to the same object or text elsewhere. */
function usesNeighbour({ plan }: Binder, fn: CodeFunction, address: number): boolean {
  const { after } = plan.context;
  const object = after.objectAt(address) ?? after.objectBefore(address);
  const home = object ? { start: object.address, end: object.address + object.size } : wholeText(after, address);
  if (home === null) return false;
  const unit = unitOf(fn);
  return [unit, ...unit.parts].some((part) =>
    referencesIn(after, part).some(
      (one) => one.address !== address && one.address >= home.start && one.address < home.end,
    ),
  );
}
