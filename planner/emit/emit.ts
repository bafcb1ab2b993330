// SPDX-License-Identifier: MIT
/**
 * New code as sections with relocations: the linker's work undone for what has changed, and for all that it needs.
 *
 * Starts with the modified functions and follows their references: what the old file has too is bound to where it is there;
 * what is new comes along. What can be neither bound nor carried is a refusal, never a guess. The sections are made
 * first, then filled, so that functions may refer to each other in any order.
 */
import { absoluteFields } from '../compare/absolute.js';
import { instructionsOf, referenceOf } from '../compare/instructions.js';
import { type Instruction, isBranch } from '../core/instruction.js';
import { isCopied } from '../elf/image.js';
import { R_X86_64 } from '../elf/relocations.js';
import { type CodeFunction, unitOf } from '../match/functions.js';
import type { Finding } from '../patch-file/model.js';
import type { Plan } from '../plan.js';
import { absoluteType, bindAbsolute } from './absolute.js';
import { Binder } from './bind.js';
import { type Binding, PatchBuilder } from './builder.js';
import { alignOf } from './copy.js';
import { type PlacedCode, shortExits, withStubs } from './stubs.js';
import { UnwindEmitter } from './unwind.js';

export interface Emitted {
  readonly builder: PatchBuilder;
  readonly refusals: readonly Finding[];
  /** What new code uses of other objects, as name@version. */
  readonly imports: ReadonlySet<string>;
  /** Carried functions that exceptions may pass through. */
  readonly unwind: readonly string[];
  /** Where each function and part of a function of the new file is in the patch. */
  readonly placed: ReadonlyMap<CodeFunction, PlacedCode>;
}

const MOST_CODE_ALIGN = 64;

export function emit(plan: Plan): Emitted {
  const builder = new PatchBuilder();
  const placed = new Map<CodeFunction, PlacedCode>();
  const queue: CodeFunction[] = [];
  const place = (fn: CodeFunction): PlacedCode => {
    const known = placed.get(fn);
    if (known !== undefined) return known;
    const unit = unitOf(fn);
    for (const part of [unit, ...unit.parts]) {
      const { bytes, offset, stubs } = withStubs(part, shortExits(part));
      const section = builder.addSection(`.text.${part.name}`, 'code', alignOf(part.address, MOST_CODE_ALIGN), bytes);
      placed.set(part, { section, offset, stubs });
      queue.push(part);
    }
    return placed.get(fn)!;
  };
  for (const unit of plan.modified) place(unit.new);
  const binder = new Binder(plan, builder, place);
  const unwind = new UnwindEmitter(binder);
  // binding one function may place another: the queue grows while it is worked off
  for (let fn = queue.shift(); fn !== undefined; fn = queue.shift()) {
    relocateFunction(binder, builder, placed.get(fn)!, fn);
    unwind.add(fn, placed.get(fn)!);
  }
  unwind.end();
  return { builder, refusals: binder.refusals, imports: binder.named.imports, unwind: unwind.passed, placed };
}

/** For a PC-relative field. */
const typeFor = ({ via }: Binding, direct: boolean): number =>
  via === 'slot' ? R_X86_64.gotpcrel : via === 'stub' || direct ? R_X86_64.plt32 : R_X86_64.pc32;

const LEA = 0x8d;
const MOV = 0x8b;
const REX_W = 0x48;

/** lea FIELD(%rip),%reg with all 64 bits. */
const isLea = ({ opcode, fieldAt, kind }: Instruction, bytes: Uint8Array, field: number): boolean =>
  opcode === LEA && !isBranch(kind) && fieldAt >= 3 && (bytes[field - 3]! & 0xf8) === REX_W;

function relocateFunction(binder: Binder, builder: PatchBuilder, home: PlacedCode, fn: CodeFunction): void {
  const { section, offset: base } = home;
  builder.inPatch(fn.name, section, base);
  const { bytes } = builder.sections[section]!;
  const { image } = binder.plan.context.after;
  for (const instruction of instructionsOf(fn)) {
    for (const field of absoluteFields(binder.plan.context.after, fn, instruction)) {
      const to = bindAbsolute(binder, fn, field, `${fn.name}+0x${instruction.offset.toString(16)}`);
      if (to === null || to === 'number') continue;
      const place = base + instruction.offset + field.at;
      bytes.fill(0, place, place + field.size);
      builder.relocate(section, place, absoluteType(field), to, 0);
    }
    const { offset, fieldAt, fieldSize, length, kind } = instruction;
    if (fieldSize === 0) continue;
    const reference = referenceOf(fn, instruction);
    const { address } = reference;
    const direct = isBranch(kind);
    const end = fn.address + fn.size;
    // clang lets paths that are never taken lead to the function's end
    const own = address >= fn.address && (address < end || (direct && address === end && !binder.isFunction(end)));
    // code that moves as a whole keeps its distances
    if (own && (direct || address !== fn.address)) continue;
    const at = `${fn.name}+0x${offset.toString(16)}`;
    const field = base + offset + fieldAt;
    if (fieldSize !== 4) {
      const stub = home.stubs.get(address);
      const distance = stub === undefined ? Number.NaN : stub - (base + offset + length);
      if (distance >= -128 && distance <= 127) bytes[field] = distance & 0xff;
      else
        binder.refuse(
          'BRANCH_TOO_SHORT',
          fn.name,
          `${at}: a short branch leaves the function and cannot be made longer; reorder the source`,
        );
      continue;
    }
    const lea = isCopied(image, address) && isLea(instruction, bytes, field);
    const to = binder.bind(reference, { at, direct, fn, ...(lea && { takes: 'lea' }) });
    if (to === null) continue;
    // too far away: its address is loaded from a slot instead, which is the same instruction but for the opcode
    if (lea && to.via === 'slot') bytes[field - 2] = MOV;
    bytes.fill(0, field, field + 4);
    builder.relocate(section, field, typeFor(to, direct), to, fieldAt - length);
  }
  for (const [address, stub] of home.stubs) {
    const to = binder.bind({ from: fn, address, loaded: false }, { at: fn.name, direct: true, fn });
    if (to !== null) builder.relocate(section, stub + 1, R_X86_64.plt32, to, -4);
  }
}
