// SPDX-License-Identifier: MIT
/**
 * Tables of distances: where code that can be moved picks one of several constants by number, clang stores not their addresses but how
 * far each is from the table (`.Lreltable.f`). Entries of equal value may lead to other constants, and a copy of the bytes leads nowhere.
 *
 * The code that uses a table tells it from a table of numbers: it loads an entry by index, extended with its sign, and adds the
 * table's address.
 */
import type { Instruction } from '../core/instruction.js';
import { Kind } from '../core/load.js';
import { bytesAt, sectionAt } from '../elf/image.js';
import { isConstant } from '../elf/sections.js';
import { type SymbolTable, viewOf } from '../elf/symbols.js';
import { type CodeFunction, unitOf } from '../match/functions.js';
import type { DataObject } from '../match/objects.js';
import { instructionsOf, referenceOf } from './instructions.js';
import type { Side } from './side.js';

export interface DistanceTable {
  /** Addresses that the entries lead to. */
  readonly targets: readonly number[];
}

const LEA = 0x8d;
const MOVSXD = 0x63;
const ADD = [0x01, 0x03];
const REX_W = 64;
const INDIRECT = 0xff;
const XOR = 0x31;
const STORE = 0x89;
const POP = 0x58;
const MOV_NUMBER = 0xb8;
/** lea, mov, movslq, movzx, movsx: the register in the middle of ModRM gets a value. */
const LOADS = [LEA, 0x8b, MOVSXD, 0x1b6, 0x1b7, 0x1be, 0x1bf];
/** rbx, rbp, r12 to r15 are the same after a call. */
const KEPT = [3, 5, 12, 13, 14, 15];
/** How many instructions behind the load the sum is at most. */
const NEAR = 8;

/** The table at `address` that `fn` uses as one of distances, or null. */
export function distanceTableAt(side: Side, address: number, fn: CodeFunction): DistanceTable | null {
  const targets = targetsAt(side, address);
  if (targets.length === 0) return null;
  const unit = unitOf(fn);
  return [unit, ...unit.parts].some((part) => addsEntriesOf(part, address)) ? { targets } : null;
}

/** The same for a table that has a name: what it is tells its name, and how long it is its size. Null if it is none. */
export function distancesOf(side: Side, object: DataObject): DistanceTable | null {
  if (!isDistances(side.image.symbolTable, object.symbol)) return null;
  const targets = targetsIn(side, object.address, object.size);
  return targets.length * 4 === object.size ? { targets } : null;
}

/**
 * clang makes a table of distances of a static array of pointers, and names it after the function that uses it
 * (LLVM, lib/Transforms/Utils/RelLookupTableConverter.cpp). No other compiler has such names, and no program.
 */
export function isDistances({ nameOffsets, strings }: SymbolTable, symbol: number): boolean {
  const start = nameOffsets[symbol]!;
  return NAMED.every((letter, i) => strings[start + i] === letter);
}

const NAMED = [...Buffer.from('reltable.')];

const targetsAt = (side: Side, address: number): number[] =>
  address % 4 === 0 ? targetsIn(side, address, side.nextStart(address) - address) : [];

/** Entries go on for as long as they lead to constants, up to the first of these that lies behind the table. */
function targetsIn(side: Side, address: number, size: number): number[] {
  const home = sectionAt(side.image, address);
  const bytes = home !== null && isConstant(home) ? bytesAt(side.image, address, size) : null;
  if (bytes === null) return [];
  const view = viewOf(bytes);
  const targets: number[] = [];
  let end = address + bytes.length;
  for (let at = 0; address + at + 4 <= end; at += 4) {
    const target = address + view.getInt32(at, true);
    if (target >= address && target < address + at + 4) break;
    const section = sectionAt(side.image, target);
    if (section === null || !isConstant(section)) break;
    targets.push(target);
    if (target > address) end = Math.min(end, target);
  }
  return targets;
}

/** lea table(%rip), t; movslq (t, i, 4), x; add t, x; or the same by a lea. */
function addsEntriesOf(fn: CodeFunction, table: number): boolean {
  if (!mayAddEntries(fn, table)) return false;
  const list = instructionsOf(fn);
  return list.some((lea, i) => {
    if (lea.kind !== Kind.address || lea.opcode !== LEA || referenceOf(fn, lea).address !== table) return false;
    const base = registerOf(fn, lea);
    for (let j = i + 1; j < list.length; j++) {
      const loaded = loadsEntry(fn, list[j]!, base);
      if (loaded !== null && list.slice(j + 1, j + 1 + NEAR).some((sum) => addsBoth(fn, sum, base, loaded)))
        return true;
      if (overwrites(fn, list[j]!, base)) return false;
    }
    return false;
  });
}

/**
 * Whether there could be such a lea, and a movslq with its register as base behind it: told by bytes alone, wherever an instruction
 * may begin. Of nearly all code that uses a constant this says no.
 */
function mayAddEntries({ address, size, section: { bytes, address: home } }: CodeFunction, table: number): boolean {
  const end = address - home + size;
  if (!bytes.subarray(address - home, end).includes(MOVSXD)) return false;
  const rexAt = (opcode: number) => ((bytes[opcode - 1]! & 0xf0) === 0x40 ? bytes[opcode - 1]! : 0);
  let bases = 0;
  for (let at = address - home; at + 2 < end; at++) {
    const modrm = bytes[at + 1]!;
    if (bytes[at] === MOVSXD && bases !== 0) {
      const sib = bytes[at + 2]!;
      const from = (sib & 7) | ((rexAt(at) & 1) << 3);
      if (modrm >> 6 !== 3 && (modrm & 7) === 4 && sib >> 6 === 2 && (bases >> from) & 1) return true;
    } else if (bytes[at] === LEA && (modrm & 0xc7) === 5 && at + 6 <= end) {
      const distance = bytes[at + 2]! | (bytes[at + 3]! << 8) | (bytes[at + 4]! << 16) | (bytes[at + 5]! << 24);
      if (home + at + 6 + distance === table) bases |= 1 << (((modrm >> 3) & 7) | ((rexAt(at) & 4) << 1));
    }
  }
  return false;
}

/** The register points at the table no more: the usual ways, of which one comes soon where the table is used for something else. */
function overwrites(fn: CodeFunction, instruction: Instruction, register: number): boolean {
  const { kind, opcode, modrm } = instruction;
  if (kind === Kind.call || (opcode === INDIRECT && ((modrm >> 3) & 7) === 2)) return !KEPT.includes(register);
  if (LOADS.includes(opcode)) return registerOf(fn, instruction) === register;
  if (opcode === XOR || opcode === STORE) return modrm >> 6 === 3 && targetOf(fn, instruction) === register;
  const short = opcode & ~7;
  return (short === MOV_NUMBER || short === POP) && opcode < 0x100 && shortTarget(fn, instruction) === register;
}

const targetOf = (fn: CodeFunction, instruction: Instruction): number =>
  (instruction.modrm & 7) | ((rexOf(fn, instruction) & 1) << 3);

/** The register in the opcode's low bits, and a REX prefix right before it. */
function shortTarget(fn: CodeFunction, instruction: Instruction): number {
  let at = 0;
  while (at < instruction.length - 1 && isPrefix(byteAt(fn, instruction, at))) at++;
  const rex = at > 0 ? byteAt(fn, instruction, at - 1) : 0;
  return (instruction.opcode & 7) | ((rex & 0xf1) === 0x41 ? 8 : 0);
}

/** The register that gets an entry of the table that `base` points at, or null. */
function loadsEntry(fn: CodeFunction, load: Instruction, base: number): number | null {
  const { opcode, prefixes, modrm } = load;
  if (opcode !== MOVSXD || (prefixes & REX_W) === 0 || modrm >> 6 === 3 || (modrm & 7) !== 4) return null;
  const at = modrmAt(fn, load);
  const sib = byteAt(fn, load, at + 1);
  const from = (sib & 7) | ((rexOf(fn, load) & 1) << 3);
  return sib >> 6 === 2 && from === base ? registerOf(fn, load) : null;
}

function addsBoth(fn: CodeFunction, sum: Instruction, a: number, b: number): boolean {
  const { opcode, prefixes, modrm } = sum;
  if ((prefixes & REX_W) === 0) return false;
  const rex = rexOf(fn, sum);
  const isPair = (one: number, other: number) => (one === a && other === b) || (one === b && other === a);
  if (ADD.includes(opcode)) return modrm >> 6 === 3 && isPair(registerOf(fn, sum), (modrm & 7) | ((rex & 1) << 3));
  if (opcode !== LEA || modrm >> 6 !== 0 || (modrm & 7) !== 4) return false;
  const sib = byteAt(fn, sum, modrmAt(fn, sum) + 1);
  return sib >> 6 === 0 && isPair((sib & 7) | ((rex & 1) << 3), ((sib >> 3) & 7) | ((rex & 2) << 2));
}

/** The register in the middle of ModRM. */
const registerOf = (fn: CodeFunction, instruction: Instruction): number =>
  ((instruction.modrm >> 3) & 7) | ((rexOf(fn, instruction) & 4) << 1);

/** The REX prefix, which stands right before the opcode; these have all one of one byte. */
const rexOf = (fn: CodeFunction, instruction: Instruction): number => {
  const rex = byteAt(fn, instruction, modrmAt(fn, instruction) - 2);
  return (rex & 0xf0) === 0x40 ? rex : 0;
};

/** Behind prefixes and opcode. */
function modrmAt(fn: CodeFunction, instruction: Instruction): number {
  let at = 0;
  while (at < instruction.length - 2 && isPrefix(byteAt(fn, instruction, at))) at++;
  return at + 1;
}

const isPrefix = (byte: number): boolean => (byte & 0xf0) === 0x40 || byte === 0x66 || byte === 0xf2 || byte === 0xf3;

const byteAt = (fn: CodeFunction, { offset }: Instruction, at: number): number =>
  fn.section.bytes[fn.address - fn.section.address + offset + at] ?? 0;
