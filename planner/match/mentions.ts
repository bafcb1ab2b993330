// SPDX-License-Identifier: MIT
/** Which symbols have a word in their names, without decoding any of them. */
import { firstWhere, type SymbolTable } from '../elf/symbols.js';

/** Whether the name of `symbol` goes on over one of the places. */
export function isMentioned({ nameOffsets, strings }: SymbolTable, symbol: number, places: readonly number[]): boolean {
  const start = nameOffsets[symbol]!;
  const next = places[firstWhere(places.length, (i) => places[i]! >= start)];
  if (next === undefined) return false;
  const end = strings.indexOf(0, start);
  return end < 0 || next < end;
}

/** Where a word is in a string table, ascending. */
export function positionsOf(strings: Uint8Array, word: string): number[] {
  const text = Buffer.from(strings.buffer, strings.byteOffset, strings.byteLength);
  const found: number[] = [];
  for (let at = text.indexOf(word, 0, 'latin1'); at >= 0; at = text.indexOf(word, at + 1, 'latin1')) found.push(at);
  return found;
}
