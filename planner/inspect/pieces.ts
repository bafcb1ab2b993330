// SPDX-License-Identifier: MIT
/**
 * The code that a patch is about, in pairs: what a replaced function was, and what comes instead. Parts of functions (`.cold`) and
 * new functions are pieces of their own; one side is missing where there is nothing to show.
 */

import type { Patch, PatchSymbol } from '../patch-file/model.js';
import { quotedText } from '../printable.js';

export interface Code {
  readonly bytes: Uint8Array;
  /** What the first byte's address is shown as: the link-time address of old code, 0 of new. */
  readonly address: number;
  /** What the field at an offset of the code refers to. */
  readonly names: ReadonlyMap<number, string>;
}

export interface Piece {
  readonly name: string;
  readonly old: Code | null;
  readonly new: Code | null;
}

const LONGEST_TEXT = 48;

/** Replaced functions in the order of the file, each with its parts; then what is only in the old file or only in the patch. */
export function piecesOf(patch: Patch): Piece[] {
  const news = new Map(newCode(patch).map((piece) => [piece.name, piece.code]));
  const pieces: Piece[] = [];
  for (const { name, address, code, names } of patch.original) {
    const old = { bytes: code, address, names: new Map(names.map(({ at, name: to }) => [at, to])) };
    pieces.push({ name, old, new: news.get(name) ?? null });
    news.delete(name);
  }
  for (const [name, code] of news) pieces.push({ name, old: null, new: code });
  return pieces;
}

function newCode(patch: Patch): { name: string; code: Code }[] {
  const sizes = new Map(patch.functions.map(({ new: { section, offset, size } }) => [`${section} ${offset}`, size]));
  const found = new Map<string, { name: string; code: Code }>();
  for (const { name, binding } of patch.symbols) {
    if (binding.kind !== 'patch' || patch.sections[binding.section]!.kind !== 'code') continue;
    const { section, offset } = binding;
    const key = `${section} ${offset}`;
    if (found.has(key)) continue;
    const { bytes } = patch.sections[section]!;
    const size = sizes.get(key) ?? bytes.length - offset;
    const code = {
      bytes: bytes.subarray(offset, offset + size),
      address: 0,
      names: namesIn(patch, section, offset, size),
    };
    found.set(key, { name, code });
  }
  return [...found.values()];
}

function namesIn(patch: Patch, section: number, start: number, size: number): Map<number, string> {
  const names = new Map<number, string>();
  for (const { section: home, offset, symbol, addend, type } of patch.relocations) {
    if (home !== section || offset < start || offset >= start + size) continue;
    names.set(offset - start, nameOf(patch, patch.symbols[symbol]!, addend, type));
  }
  return names;
}

/** A text by what it says, anything else by its symbol. */
function nameOf(patch: Patch, { name, binding }: PatchSymbol, addend: number, type: number): string {
  const isRelative = type === 2 || type === 4;
  if (binding.kind === 'patch' && patch.sections[binding.section]!.kind === 'rodata' && isRelative) {
    const { bytes } = patch.sections[binding.section]!;
    const words = textIn(bytes, binding.offset + addend + 4);
    if (words !== null) return words;
  }
  const plain = name.replace(/@(plt|got|old)$/, '');
  const distance = isRelative ? addend + 4 : addend;
  if (distance === 0 || Math.abs(distance) < 8) return plain;
  return `${plain}${distance < 0 ? '-' : '+'}0x${Math.abs(distance).toString(16)}`;
}

/** The NUL-terminated text at `at` in quotes, or null if there is none worth the name. */
function textIn(bytes: Uint8Array, at: number): string | null {
  const end = at >= 0 && at < bytes.length ? bytes.indexOf(0, at) : -1;
  if (end <= at + 1) return null;
  return quotedText(bytes.subarray(at, end), LONGEST_TEXT);
}
