// SPDX-License-Identifier: MIT
/**
 * New code as sections with relocations: the linker's work undone for what has changed, and for all that it needs.
 *
 * Starts with the modified functions and follows their references: what the old file has too is bound to where it is there;
 * what is new comes along. What can be neither bound nor carried is a refusal, never a guess. The sections are made
 * first, then filled, so that functions may refer to each other in any order.
 */
import { instructionsOf, referenceOf } from '../compare/functions.js';
import { type Instruction, isBranch } from '../core/instruction.js';
import { Kind } from '../core/load.js';
import { R_X86_64 } from '../elf/relocations.js';
import { type CodeFunction, unitOf } from '../match/functions.js';
import type { Finding } from '../patch-file/model.js';
import type { Plan } from '../plan.js';
import { Binder } from './bind.js';
import { PatchBuilder } from './builder.js';

export interface Emitted {
  readonly builder: PatchBuilder;
  readonly refusals: readonly Finding[];
  /** Where each function and part of a function of the new file is in the patch. */
  readonly placed: ReadonlyMap<CodeFunction, number>;
}

const MOST_CODE_ALIGN = 64;

export function emit(plan: Plan): Emitted {
  const builder = new PatchBuilder();
  const placed = new Map<CodeFunction, number>();
  const queue: CodeFunction[] = [];
  const place = (fn: CodeFunction): number => {
    const known = placed.get(fn);
    if (known !== undefined) return known;
    const unit = unitOf(fn);
    for (const part of [unit, ...unit.parts]) {
      const start = part.address - part.section.address;
      const bytes = part.section.bytes.slice(start, start + part.size);
      placed.set(part, builder.addSection(`.text.${part.name}`, 'code', alignOf(part.address, MOST_CODE_ALIGN), bytes));
      queue.push(part);
    }
    return placed.get(fn)!;
  };
  for (const unit of plan.modified) place(unit.new);
  const binder = new Binder(plan, builder, place);
  // binding one function may place another: the queue grows while it is worked off
  for (let fn = queue.shift(); fn !== undefined; fn = queue.shift()) relocateFunction(binder, builder, placed, fn);
  return { builder, refusals: binder.refusals, placed };
}

function relocateFunction(
  binder: Binder,
  builder: PatchBuilder,
  placed: ReadonlyMap<CodeFunction, number>,
  fn: CodeFunction,
): void {
  const section = placed.get(fn)!;
  builder.inPatch(fn.name, section, 0);
  const { bytes } = builder.sections[section]!;
  for (const instruction of instructionsOf(fn)) {
    if (instruction.fieldSize === 0) continue;
    const reference = referenceOf(fn, instruction);
    const own = reference.address >= fn.address && reference.address < fn.address + fn.size;
    // code that moves as a whole keeps its distances
    if (own && (isBranch(instruction.kind) || reference.address !== fn.address)) continue;
    relocateField(binder, builder, section, bytes, fn, instruction, reference.address);
  }
}

function relocateField(
  binder: Binder,
  builder: PatchBuilder,
  section: number,
  bytes: Uint8Array,
  fn: CodeFunction,
  instruction: Instruction,
  address: number,
): void {
  const { offset, fieldAt, fieldSize, length, kind } = instruction;
  const at = `${fn.name}+0x${offset.toString(16)}`;
  if (fieldSize !== 4) {
    binder.refuse(
      'REFERENCE_UNRESOLVED',
      fn.name,
      `${at}: a short branch leaves the function; build with another -O level`,
    );
    return;
  }
  const direct = isBranch(kind);
  const to = binder.bind({ from: fn, address, loaded: kind === Kind.memory }, { at, direct, fn });
  if (to === null) return;
  const field = offset + fieldAt;
  bytes.fill(0, field, field + 4);
  builder.relocate(section, field, direct ? R_X86_64.plt32 : R_X86_64.pc32, to, fieldAt - length);
}

/** The largest power of two up to `most` that divides `address`. */
export function alignOf(address: number, most: number): number {
  let align = 1;
  while (align < most && address % (align * 2) === 0) align *= 2;
  return align;
}
