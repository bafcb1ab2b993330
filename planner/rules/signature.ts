// SPDX-License-Identifier: MIT
/**
 * SIGNATURE_CHANGED: a function takes other parameters or returns something else, and not all of its callers change with it.
 *
 * Example: `int handle(int)` becomes `int handle(int, int)`, and a pointer to it is in a table: whoever calls through the table
 * passes one argument. Names of parameters, typedefs, const and signs make no difference, nor a result where there was none.
 * Callers that change too are none of the problem: each thread has the old ones with the old function, or the new with the new.
 */
import { instructionsOf, referenceOf } from '../compare/instructions.js';
import { referrersTo } from '../compare/referrers.js';
import type { Side } from '../compare/side.js';
import { isBranch } from '../core/instruction.js';
import { type DebugInfo, debugInfoOf } from '../elf/dwarf/debug-info.js';
import { TAG } from '../elf/dwarf/names.js';
import { type Shape, sameShape, shapeOf, typeText } from '../elf/dwarf/type-text.js';
import { R_X86_64 } from '../elf/relocations.js';
import { type CodeFunction, unitOf } from '../match/functions.js';
import type { Plan } from '../plan.js';
import type { Judged, RuleFinding } from './rule.js';

interface Signature {
  readonly result: Shape;
  readonly parameters: readonly Shape[];
  readonly variadic: boolean;
  /** As C writes it. */
  readonly text: string;
}

export function signature({ plan }: Judged): RuleFinding[] {
  const { before, after } = plan.context;
  const [oldInfo, newInfo] = [debugInfoOf(before.image), debugInfoOf(after.image)];
  if (oldInfo === null || newInfo === null) return [];
  const findings: RuleFinding[] = [];
  for (const { old, new: now } of plan.modified) {
    const [was, is] = [signatureOf(oldInfo, old), signatureOf(newInfo, now)];
    if (was === null || is === null || agree(was, is)) continue;
    const caller = callerThatStays(plan, old);
    if (caller === null) continue;
    findings.push({
      code: 'SIGNATURE_CHANGED',
      symbol: old.name,
      message: `function ${old.name} is ${was.text} → ${is.text}, but ${caller} as before; give the new one another name, and let the old one call it`,
      allowable: true,
    });
  }
  return findings;
}

function signatureOf(info: DebugInfo, { address }: CodeFunction): Signature | null {
  const entry = info.functionAt(address);
  if (entry === null) return null;
  const chain = info.chain(entry);
  const declared = chain[chain.length - 1]!;
  const result = chain.find(({ type }) => type !== 0)?.type ?? 0;
  const parameters = declared.children.filter(({ tag }) => tag === TAG.formalParameter);
  const variadic = declared.children.some(({ tag }) => tag === TAG.unspecifiedParameters);
  const texts = [...parameters.map(({ type }) => typeText(info, type)), ...(variadic ? ['…'] : [])];
  return {
    result: shapeOf(info, result),
    parameters: parameters.map(({ type }) => shapeOf(info, type)),
    variadic,
    text: `${typeText(info, result)} (${texts.join(', ') || 'void'})`,
  };
}

const agree = (was: Signature, is: Signature): boolean =>
  (was.result.text === 'void' || sameShape(was.result, is.result)) &&
  was.variadic === is.variadic &&
  was.parameters.length === is.parameters.length &&
  was.parameters.every((shape, i) => sameShape(shape, is.parameters[i]!));

/** Who calls the old function and goes on to do so in the same way, with its verb; null for nobody. */
function callerThatStays(plan: Plan, fn: CodeFunction): string | null {
  const { before } = plan.context;
  const changed = new Set(plan.modified.map(({ old }) => old));
  const gone = new Set(plan.removed);
  const { relocations, dynamicTable } = before.image;
  if (dynamicTable.values.some((value, i) => value === fn.address && dynamicTable.sectionIndices[i] !== 0))
    return 'other objects, which see its name, call it';
  for (let i = 0; i < relocations.size; i++)
    if (relocations.types[i] === R_X86_64.relative && relocations.addends[i] === fn.address)
      return 'what calls it through a pointer in data calls it';
  for (const other of referrersTo(before, [fn.address])) {
    const stays = !changed.has(unitOf(other)) && !gone.has(unitOf(other));
    const place = placeOfReference(before, other, fn, stays);
    if (place !== null) return place;
  }
  return null;
}

/** A call by a function that stays, or an address that anybody takes. */
function placeOfReference(side: Side, from: CodeFunction, to: CodeFunction, stays: boolean): string | null {
  for (const instruction of instructionsOf(from)) {
    if (instruction.fieldSize === 0 || referenceOf(from, instruction).address !== to.address) continue;
    const at = `${from.name}+0x${instruction.offset.toString(16)}`;
    if (!isBranch(instruction.kind)) return `${at} takes its address, and what calls it through that calls it`;
    if (stays && side.functionAt(from.address) !== to) return `${at} calls it`;
  }
  return null;
}
