// SPDX-License-Identifier: MIT
/**
 * What a function does beyond itself, as far as its own instructions tell: variables it writes by name, what it calls, constants it
 * returns. No data flow: a write through a pointer is not seen, so what is found is true and never all.
 *
 * Functions that exist on one side only count as part of their callers: the compiler may have split them off or inlined them.
 */
import { type Instruction, isBranch } from '../core/instruction.js';
import { Kind } from '../core/load.js';
import { isWritable } from '../elf/sections.js';
import { type CodeFunction, unitOf } from '../match/functions.js';
import type { DataObject } from '../match/objects.js';
import { instructionsOf, referenceOf } from './instructions.js';
import { referentAt } from './referent.js';
import type { Side } from './side.js';

export interface Effects {
  readonly writes: Set<DataObject>;
  /** Names of imports, without versions. */
  readonly imports: Set<string>;
  /** Names of all functions that are called, imports included. */
  readonly calls: Set<string>;
  /** Constants, as signed 32-bit numbers. */
  readonly returns: Set<number>;
}

/** Instructions between the constant and the return. */
const REACH = 16;

/** `isOwn`: a function that belongs to its callers. */
export function effectsOf(side: Side, unit: CodeFunction, isOwn: (fn: CodeFunction) => boolean): Effects {
  const effects: Effects = { writes: new Set(), imports: new Set(), calls: new Set(), returns: new Set() };
  const seen = new Set([unit]);
  for (const fn of seen) {
    for (const part of [fn, ...fn.parts]) {
      for (const called of readPart(side, part, effects)) if (isOwn(called)) seen.add(called);
    }
    if (fn === unit) for (const value of constantsReturned(fn)) effects.returns.add(value);
  }
  return effects;
}

/** Adds what one part does; gives the functions of this file that it calls. */
function readPart(side: Side, fn: CodeFunction, { writes, imports, calls }: Effects): CodeFunction[] {
  const called: CodeFunction[] = [];
  for (const instruction of instructionsOf(fn)) {
    if (instruction.fieldSize === 0) continue;
    const referent = referentAt(side, referenceOf(fn, instruction).address);
    if (referent.kind === 'object') {
      if (instruction.kind === Kind.memory && isWritable(referent.object.section) && writesMemory(instruction))
        writes.add(referent.object);
    } else if (referent.kind === 'function') {
      const target = unitOf(referent.fn);
      if (!isBranch(instruction.kind) || target === unitOf(fn)) continue;
      calls.add(target.name);
      called.push(target);
    } else if (referent.kind === 'stub' || (referent.kind === 'slot' && isIndirectCall(instruction))) {
      const name = referent.name.replace(/@.*$/, '');
      calls.add(name);
      if (!isDefined(side, name)) imports.add(name);
    }
  }
  return called;
}

const defined = new WeakMap<Side, ReadonlySet<string>>();

/** A library calls its own exported functions through its PLT. */
function isDefined(side: Side, name: string): boolean {
  let names = defined.get(side);
  if (names === undefined) {
    names = new Set(side.image.dynamicSymbols.filter(({ section }) => section !== 0).map((symbol) => symbol.name));
    defined.set(side, names);
  }
  return names.has(name);
}

const isIndirectCall = ({ opcode, modrm }: Instruction): boolean =>
  opcode === 0xff && (((modrm >> 3) & 7) === 2 || ((modrm >> 3) & 7) === 4);

/** Whether the memory operand is written; opcode maps as in core/assembly/decode.ts. */
function writesMemory({ opcode, modrm }: Instruction): boolean {
  const map = (opcode >> 8) & 15;
  const byte = opcode & 0xff;
  const group = (modrm >> 3) & 7;
  if (map === 0) {
    if (byte < 0x38) return (byte & 7) < 2;
    if (byte === 0x80 || byte === 0x81 || byte === 0x83) return group !== 7;
    if (byte === 0xf6 || byte === 0xf7) return group === 2 || group === 3;
    if (byte === 0xfe || byte === 0xff) return group < 2;
    if (byte === 0xd9 || byte === 0xdd) return group === 2 || group === 3;
    return [0x86, 0x87, 0x88, 0x89, 0x8f, 0xc0, 0xc1, 0xc6, 0xc7, 0xd0, 0xd1, 0xd2, 0xd3].includes(byte);
  }
  if (map !== 1) return false;
  if (byte === 0xba) return group >= 5;
  const stores = [0x11, 0x13, 0x17, 0x29, 0x2b, 0x7f, 0xab, 0xb0, 0xb1, 0xb3, 0xbb, 0xc0, 0xc1, 0xc3, 0xd6, 0xe7];
  return stores.includes(byte) || (byte >= 0x90 && byte <= 0x9f);
}

/** Constants that go into eax with nothing but the end of the function behind them. */
function constantsReturned(fn: CodeFunction): Set<number> {
  const all = instructionsOf(fn);
  const indexOf = new Map(all.map(({ offset }, i) => [fn.address + offset, i]));
  const found = new Set<number>();
  all.forEach((instruction, i) => {
    const value = constantInEax(fn, instruction);
    if (value !== null && reachesReturn(fn, all, indexOf, i + 1)) found.add(value);
  });
  return found;
}

function constantInEax(
  fn: CodeFunction,
  { opcode, modrm, offset, immediateAt, immediateSize, length }: Instruction,
): number | null {
  const start = fn.address - fn.section.address + offset;
  const bytes = fn.section.bytes.subarray(start, start + length);
  if (opcode === 0xb8 && immediateSize === 4 && (bytes[immediateAt - 2]! & 0xf1) !== 0x41)
    return Buffer.from(bytes).readInt32LE(immediateAt);
  // or $-1,%eax
  return opcode === 0x83 && modrm === 0xc8 && (bytes[0]! & 0xf1) !== 0x41
    ? Buffer.from(bytes).readInt8(immediateAt)
    : null;
}

/** Only what an epilogue consists of may lie between. */
function reachesReturn(
  fn: CodeFunction,
  all: readonly Instruction[],
  indexOf: ReadonlyMap<number, number>,
  from: number,
): boolean {
  let i = from;
  for (let left = REACH; left > 0; left--) {
    const instruction = all[i];
    if (instruction === undefined) return false;
    const { opcode, modrm, kind } = instruction;
    if (opcode === 0xc3) return true;
    if (kind === Kind.jump) {
      const next = indexOf.get(referenceOf(fn, instruction).address);
      if (next === undefined) return false;
      i = next;
      continue;
    }
    const pops = opcode >= 0x59 && opcode <= 0x5f;
    const unwinds = (opcode === 0x83 || opcode === 0x81) && modrm === 0xc4;
    if (!pops && !unwinds && opcode !== 0xc9 && opcode !== 0x58) return false;
    i++;
  }
  return false;
}
