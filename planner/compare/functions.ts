// SPDX-License-Identifier: MIT
/**
 * Whether two functions do the same. Equal hashes say that all instructions agree but for what relocation fills in; then each
 * PC-relative field must mean the same on both sides. Only for functions that differ the reasons are worked out.
 */
import { isUtf8 } from 'node:buffer';
import { type Instruction, isBranch } from '../core/instruction.js';
import { Kind } from '../core/load.js';
import { viewOf } from '../elf/symbols.js';
import type { CodeFunction } from '../match/functions.js';
import { sameWithAddresses } from './absolute.js';
import { jumpTableAt, textAt } from './constants.js';
import type { Context } from './context.js';
import { instructionsOf, referenceOf } from './instructions.js';
import { sameReference } from './references.js';
import { describe, type Referent, referentAt } from './referent.js';
import type { Side } from './side.js';
import { sameThreadVariable, threadLayoutMoved } from './thread-access.js';

const MOST_REASONS = 12;

export function sameFunction(context: Context, a: CodeFunction, b: CodeFunction): boolean {
  const fixed = context.after.image.kind === 'exec';
  if (a.code.hash !== b.code.hash && !fixed) return false;
  if (!sameRemains(a, b)) return false;
  const threadLayout = threadLayoutMoved(context);
  const old = instructionsOf(a);
  const now = instructionsOf(b);
  if (old.length !== now.length) return false;
  for (let i = 0; i < old.length; i++) {
    const x = old[i]!;
    const y = now[i]!;
    if (fixed && !sameWithAddresses(context, a, x, b, y)) return false;
    if (threadLayout && !sameThreadVariable(context, a, x, b, y)) return false;
    if (x.fieldSize === 0 && y.fieldSize === 0) continue;
    if (x.kind !== y.kind || !sameReference(context, referenceOf(a, x), referenceOf(b, y))) return false;
  }
  return true;
}

/** What could not be decoded, data in code, is the same if its bytes are. */
function sameRemains(a: CodeFunction, b: CodeFunction): boolean {
  const remains = ({ code, address, section, size }: CodeFunction): Uint8Array => {
    const start = address - section.address;
    return code.undecodable === null
      ? new Uint8Array(0)
      : section.bytes.subarray(start + code.undecodable, start + size);
  };
  return Buffer.compare(remains(a), remains(b)) === 0;
}

/** In words, why `a` and `b` are not the same. */
export function reasonsFor(context: Context, a: CodeFunction, b: CodeFunction): string[] {
  const old = instructionsOf(a);
  const now = instructionsOf(b);
  const reasons: string[] = [];
  if (old.length === now.length) {
    for (let i = 0; i < old.length; i++) {
      const reason = differenceOf(context, a, old[i]!, b, now[i]!);
      if (reason) reasons.push(reason);
    }
  } else {
    reasons.push(`${old.length} → ${now.length} instructions`);
  }
  reasons.push(...changedUses(context, a, old, b, now));
  const unique = [...new Set(reasons)];
  return unique.length <= MOST_REASONS
    ? unique
    : [...unique.slice(0, MOST_REASONS), `and ${unique.length - MOST_REASONS} more differences`];
}

function differenceOf(
  context: Context,
  a: CodeFunction,
  x: Instruction,
  b: CodeFunction,
  y: Instruction,
): string | null {
  const at = `at +0x${y.offset.toString(16)}`;
  const fixed = context.after.image.kind === 'exec';
  if (fixed && sameWithAddresses(context, a, x, b, y)) {
    if (x.fieldSize === 0 || sameReference(context, referenceOf(a, x), referenceOf(b, y))) return null;
  }
  if (x.opcode === y.opcode && x.modrm === y.modrm && x.immediateSize > 0 && x.immediateSize === y.immediateSize) {
    const [before, after] = [immediate(a, x), immediate(b, y)];
    if (before !== after) return `immediate 0x${before.toString(16)} → 0x${after.toString(16)} ${at}`;
  }
  if (
    x.opcode === y.opcode &&
    x.modrm === y.modrm &&
    x.displacementSize > 0 &&
    x.displacementSize === y.displacementSize
  ) {
    const [before, after] = [displacement(a, x), displacement(b, y)];
    if (before !== after) return `offset ${before} → ${after} ${at}`;
  }
  if (x.hash !== y.hash) return `instruction changed ${at}`;
  if (x.fieldSize === 0 || sameReference(context, referenceOf(a, x), referenceOf(b, y))) return null;
  const before = name(context.before, a, x);
  const after = name(context.after, b, y);
  return `${isBranch(x.kind) ? 'branches to' : 'uses'} ${before} → ${after} ${at}`;
}

function immediate(fn: CodeFunction, { offset, immediateAt, immediateSize }: Instruction): bigint {
  const start = fn.address - fn.section.address + offset + immediateAt;
  let value = 0n;
  for (let i = Math.min(immediateSize, 8) - 1; i >= 0; i--)
    value = (value << 8n) | BigInt(fn.section.bytes[start + i]!);
  return value;
}

function displacement(fn: CodeFunction, { offset, displacementAt, displacementSize }: Instruction): number {
  const start = fn.address - fn.section.address + offset + displacementAt;
  return displacementSize === 1
    ? (fn.section.bytes[start]! << 24) >> 24
    : viewOf(fn.section.bytes).getInt32(start, true);
}

/** What one of the two uses by name or text and the other does not. */
function changedUses(
  context: Context,
  a: CodeFunction,
  old: Instruction[],
  b: CodeFunction,
  now: Instruction[],
): string[] {
  const used = (side: Side, fn: CodeFunction, list: Instruction[]) => {
    const words = new Set<string>();
    for (const instruction of list) if (instruction.fieldSize > 0) words.add(use(side, fn, instruction));
    words.delete('');
    return words;
  };
  const before = used(context.before, a, old);
  const after = used(context.after, b, now);
  return [
    ...[...after].filter((word) => !before.has(word)).map((word) => `now ${word}`),
    ...[...before].filter((word) => !after.has(word)).map((word) => `no longer ${word}`),
  ];
}

function use(side: Side, fn: CodeFunction, instruction: Instruction): string {
  const referent = referentAt(side, referenceOf(fn, instruction).address);
  if (referent.kind === 'function') {
    if (referent.fn === fn || referent.fn.parent === fn || referent.fn === fn.parent) return '';
    return `${instruction.kind === Kind.call || instruction.kind === Kind.jump ? 'calls' : 'refers to'} ${describe(referent)}`;
  }
  if (referent.kind === 'stub') return `calls ${referent.name}`;
  if (referent.kind === 'constant') {
    const text = instruction.kind === Kind.address ? quoted(side, referent, fn) : null;
    return text === null ? '' : `uses the text ${text}`;
  }
  return `uses ${describe(referent)}`;
}

function name(side: Side, fn: CodeFunction, instruction: Instruction): string {
  const referent = referentAt(side, referenceOf(fn, instruction).address);
  return quoted(side, referent, fn) ?? describe(referent);
}

function quoted(side: Side, referent: Referent, fn: CodeFunction): string | null {
  if (referent.kind !== 'constant' || jumpTableAt(side, referent.address, fn) !== null) return null;
  const text = textAt(side, referent.address);
  if (text === null || text.length < 2 || !isUtf8(text)) return null;
  const words = Buffer.from(text.subarray(0, Math.min(text.length - 1, 60))).toString('utf8');
  return JSON.stringify(text.length > 61 ? `${words}…` : words);
}
