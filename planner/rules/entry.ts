// SPDX-License-Identifier: MIT
/**
 * ENTRY_TOO_SMALL and BRANCH_INTO_ENTRY: there must be room for the detour, a five-byte jump, and nobody may jump
 * into its middle.
 *
 * Examples: a function that is a lone `ret` with another one right behind it; a loop whose head is the second instruction.
 */
import { instructionsOf, referenceOf } from '../compare/instructions.js';
import { referrersTo } from '../compare/referrers.js';
import type { Side } from '../compare/side.js';
import { isBranch } from '../core/instruction.js';
import { Kind } from '../core/load.js';
import type { CodeFunction } from '../match/functions.js';
import type { Judged, RuleFinding } from './rule.js';

export const DETOUR_SIZE = 5;
const ENDBR64 = [0xf3, 0x0f, 0x1e, 0xfa];

/** Where the detour goes: behind an endbr64, which must stay the entry's first instruction. */
export function detourOffset(fn: CodeFunction): number {
  const start = fn.address - fn.section.address;
  return fn.size >= 4 && ENDBR64.every((byte, i) => fn.section.bytes[start + i] === byte) ? 4 : 0;
}

/** Bytes from the entry that are the function's own: its size and the padding behind it. */
export function roomOf(side: Side, fn: CodeFunction): number {
  const { section } = fn;
  const start = fn.address - section.address;
  let after = fn.index + 1;
  const follows = ({ address, section: home }: CodeFunction) => home === section && address >= fn.address + fn.size;
  while (after < side.functions.length && !follows(side.functions.at(after))) after++;
  const next = after < side.functions.length ? side.functions.at(after) : null;
  const limit = next ? next.address - section.address : section.bytes.length;
  let end = start + fn.size;
  // gcc pads with nops of every length, gas with zeros, lld with int3
  while (end < limit) {
    const length = paddingAt(section.bytes, end, limit);
    if (length === 0) break;
    end += length;
  }
  return end - start;
}

function paddingAt(bytes: Uint8Array, at: number, limit: number): number {
  if (bytes[at] === 0x90 || bytes[at] === 0xcc || bytes[at] === 0) return 1;
  let p = at;
  while (p < limit && (bytes[p] === 0x66 || bytes[p] === 0x2e)) p++;
  if (bytes[p] === 0x90) return p + 1 - at;
  if (bytes[p] !== 0x0f || bytes[p + 1] !== 0x1f) return 0;
  const modrm = bytes[p + 2]!;
  const tail = modrm >> 6 === 1 ? 1 : modrm >> 6 === 2 ? 4 : 0;
  const length = p + 3 + ((modrm & 7) === 4 ? 1 : 0) + tail - at;
  return at + length <= limit ? length : 0;
}

export function entry({ plan }: Judged): RuleFinding[] {
  const { before } = plan.context;
  const findings: RuleFinding[] = [];
  const entries = new Map<number, CodeFunction>();
  for (const { old } of plan.modified) {
    const start = detourOffset(old);
    const room = roomOf(before, old) - start;
    if (room < DETOUR_SIZE)
      findings.push({
        code: 'ENTRY_TOO_SMALL',
        symbol: old.name,
        message: `function ${old.name} has ${room} bytes at 0x${(old.address + start).toString(16)}, a detour needs ${DETOUR_SIZE}; change its callers instead`,
        allowable: false,
      });
    for (let i = 1; i < Math.min(DETOUR_SIZE, room); i++) entries.set(old.address + start + i, old);
  }
  for (const fn of referrersTo(before, [...entries.keys()]))
    for (const instruction of instructionsOf(fn)) {
      if (!isBranch(instruction.kind) && instruction.kind !== Kind.address) continue;
      const target = entries.get(referenceOf(fn, instruction).address);
      if (target === undefined) continue;
      findings.push({
        code: 'BRANCH_INTO_ENTRY',
        symbol: target.name,
        message: `${fn.name}+0x${instruction.offset.toString(16)} branches into the first bytes of ${target.name}, where the detour goes; change its callers instead`,
        allowable: false,
      });
    }
  return findings;
}
