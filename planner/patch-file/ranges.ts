// SPDX-License-Identifier: MIT
/**
 * Where replaced functions are, in the target and in the patch. Each range is looked at by itself where it is decoded; here they are
 * held against each other: a byte that belonged to two functions would get two detours, or be guarded for the wrong one.
 */
import { damaged } from './container.js';
import type { OriginalCode, ReplacedFunction } from './model.js';

interface Range {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Throws PatchFileError if old bodies share bytes, or new ones do. */
export function checkRanges(functions: readonly ReplacedFunction[]): void {
  const old = functions.flatMap(({ name, old: { address, size, room }, oldParts }): Range[] => [
    { name, start: address, end: address + Math.max(size, room) },
    ...oldParts.map((part) => ({ name, start: part.address as number, end: part.address + part.size })),
  ]);
  const beyond = old.find(({ end }) => end > 2 ** 47);
  if (beyond !== undefined) throw damaged(beyond.name, 'an end below 2^47', `0x${beyond.end.toString(16)}`);
  disjoint(old, 'the old code of another function');
  const bySection = new Map<number, Range[]>();
  for (const { name, new: now } of functions) {
    const list = bySection.get(now.section) ?? [];
    list.push({ name, start: now.offset, end: now.offset + now.size });
    bySection.set(now.section, list);
  }
  for (const list of bySection.values()) disjoint(list, 'the new code of another function');
}

/** Throws PatchFileError if code that is shown to reviewers is not that of a replaced function or its part. */
export function checkOriginals(original: readonly OriginalCode[], functions: readonly ReplacedFunction[]): void {
  const sizes = new Map<number, number>();
  for (const { old, oldParts } of functions)
    for (const { address, size } of [old, ...oldParts]) sizes.set(address, size);
  for (const { name, address, code } of original)
    if (sizes.get(address) !== code.length)
      throw damaged(name, 'the old code of a replaced function', `${code.length} bytes at 0x${address.toString(16)}`);
}

function disjoint(ranges: readonly Range[], other: string): void {
  const sorted = [...ranges].sort((a, b) => a.start - b.start || a.end - b.end);
  for (let i = 1; i < sorted.length; i++) {
    const [one, next] = [sorted[i - 1]!, sorted[i]!];
    if (next.start < one.end)
      throw damaged(next.name, `code apart from ${other}`, `0x${next.start.toString(16)}, inside of ${one.name}`);
  }
}
