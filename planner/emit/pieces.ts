// SPDX-License-Identifier: MIT
/**
 * How much of the unnamed constants has to be copied together. An instruction may take the address of a constant's end, or of its
 * middle, and nothing in a linked file says to what such an address belongs. So everything that one function refers to and that
 * touches is one piece; and a text is copied from its first letter on, wherever into it an address leads.
 */
import { referencesIn } from '../compare/absolute.js';
import { constantSize, jumpTableAt, textAt } from '../compare/constants.js';
import { distanceTableAt } from '../compare/distance-tables.js';
import { referentAt } from '../compare/referent.js';
import type { Side } from '../compare/side.js';
import { sectionAt } from '../elf/image.js';
import { type CodeFunction, unitOf } from '../match/functions.js';

export interface Piece {
  readonly start: number;
  readonly end: number;
  /** One text and nothing else. */
  readonly text: boolean;
}

const pieces = new WeakMap<CodeFunction, readonly Piece[]>();

/** The piece that `address`, which `fn` refers to, is in or at the end of. */
export function pieceOf(side: Side, fn: CodeFunction, address: number): Piece | null {
  const unit = unitOf(fn);
  let all = pieces.get(unit);
  if (all === undefined) {
    all = piecesOf(side, unit);
    pieces.set(unit, all);
  }
  return all.find(({ start, end }) => address >= start && address < end) ?? null;
}

/**
 * The text that `address` leads into, from its start to where the next thing begins: the zeros behind it may be a number's, whose first
 * byte is a letter. Null if there is more than zeros, as in a table of such numbers.
 */
export function wholeText(side: Side, address: number): Piece | null {
  const rest = textAt(side, address);
  const section = sectionAt(side.image, address);
  if (rest === null || section === null) return null;
  const textEnd = address + rest.length;
  const end = Math.max(textEnd, Math.min(section.address + section.bytes.length, side.nextStart(textEnd - 1)));
  const behind = section.bytes.subarray(textEnd - section.address, end - section.address);
  if (!behind.every((byte) => byte === 0) || (behind.length > 0 && !rest.every(isLetter))) return null;
  let at = address - section.address;
  while (at > 0 && isText(section.bytes[at - 1]!) && !isBorder(side, section.address + at)) at--;
  return { start: section.address + at, end, text: true };
}

/** Of distances, which cannot be copied as they are. */
const isTable = (side: Side, address: number, fn: CodeFunction): boolean =>
  jumpTableAt(side, address, fn) !== null || distanceTableAt(side, address, fn) !== null;

/** What texts are made of, and small numbers are not. */
const isLetter = (byte: number): boolean => byte >= 0x20 || byte === 0 || byte === 9 || byte === 10;

const isText = (byte: number): boolean => (byte >= 0x20 ? byte !== 0x7f : (byte >= 7 && byte <= 13) || byte === 0x1b);

/** A named object ends here, or an address that the loader fills in. */
const isBorder = (side: Side, address: number): boolean =>
  side.objectBefore(address) !== null || side.objectAt(address - 1) !== null || side.image.relocations.has(address - 8);

function piecesOf(side: Side, unit: CodeFunction): Piece[] {
  const found: Piece[] = [];
  for (const part of [unit, ...unit.parts])
    for (const reference of referencesIn(side, part)) {
      const { address, loaded } = reference;
      if (referentAt(side, address).kind !== 'constant' || (!loaded && isTable(side, address, part))) continue;
      const text = loaded ? null : wholeText(side, address);
      found.push(text ?? { start: address, end: address + Math.max(1, constantSize(side, reference)), text: false });
    }
  found.sort((a, b) => a.start - b.start || b.end - a.end);
  const joined: Piece[] = [];
  for (const piece of found) {
    const last = joined.at(-1);
    // texts that touch are two; what else touches may be one
    const apart = last === undefined || piece.start > last.end || (piece.start === last.end && last.text && piece.text);
    if (apart) joined.push(piece);
    else
      joined[joined.length - 1] = {
        start: last.start,
        end: Math.max(last.end, piece.end),
        text: last.text && piece.text && piece.end <= last.end,
      };
  }
  return joined;
}
