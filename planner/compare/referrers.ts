// SPDX-License-Identifier: MIT
/**
 * Which functions refer to some address: found without decoding all code. Four bytes that would lead there, were they a
 * PC-relative field, are looked for first; only functions that have them are decoded.
 */
import { instructionAt, instructionCount } from '../core/instruction.js';
import { findFields, sweepable } from '../core/sweep.js';
import type { CodeFunction } from '../match/functions.js';
import { codeOf, loadedRange } from './code-range.js';
import type { Side } from './side.js';

/** Bytes of an instruction behind its field: an immediate, at most four bytes. */
const BEHIND = [0, 1, 2, 4];

/** A branch of two bytes leads no farther than this. */
const SHORT = 130;

/** Functions with a PC-relative field that leads to one of `addresses`; in order of address. */
export function referrersTo(side: Side, addresses: readonly number[]): CodeFunction[] {
  const wanted = addresses.filter((address) => side.isStart(address));
  // what lies in a function and is referred to by it alone is nobody's start
  const found = new Set(addresses.flatMap((address) => neighbours(side, address)));
  if (wanted.length > 0) for (const fn of candidates(side, wanted)) found.add(fn);
  const all = new Set(addresses);
  return [...found].filter((fn) => refersTo(fn, all)).sort((a, b) => a.address - b.address);
}

/** Functions of which some byte is near. */
function neighbours({ functions, functionAt }: Side, address: number): CodeFunction[] {
  const found: CodeFunction[] = [];
  const middle = functionAt(address);
  const first = middle?.index ?? functions.firstAbove(address);
  for (let i = first - 1; i >= 0 && functions.endOf(i) > address - SHORT; i--) found.push(functions.at(i));
  const { addresses } = functions.columns;
  for (let i = first; i < functions.length && addresses[i]! < address + SHORT; i++) found.push(functions.at(i));
  return found;
}

/** Functions with four bytes that would lead to one of `addresses`. All, if the core cannot tell. */
function candidates(side: Side, addresses: readonly number[]): Iterable<CodeFunction> {
  const found = new Set<CodeFunction>();
  if (!sweepable(loadedRange(side.image))) return side.functions;
  for (const section of codeOf(side.image))
    for (const address of addresses) {
      const fields = findFields(side.space, section, address - Math.max(...BEHIND), address);
      if (fields === null) return side.functions;
      for (const field of fields) {
        const fn = side.functionAt(field);
        if (fn) found.add(fn);
      }
    }
  return found;
}

function refersTo(fn: CodeFunction, addresses: ReadonlySet<number>): boolean {
  const { rows } = fn.code;
  for (let i = 0; i < instructionCount(rows); i++) {
    const { offset, length, distance, fieldSize } = instructionAt(rows, i, fn.address - fn.section.address);
    if (fieldSize > 0 && addresses.has(fn.address + offset + length + distance)) return true;
  }
  return false;
}
