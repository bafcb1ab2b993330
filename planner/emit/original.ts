// SPDX-License-Identifier: MIT
/** What a patch keeps of the code that it replaces, so that it can be reviewed without the old file: the bytes, and names for what they refer to. */
import { linkAddress } from '../addresses.js';
import { textAt } from '../compare/constants.js';
import { instructionsOf, referenceOf } from '../compare/instructions.js';
import { describe, referentAt } from '../compare/referent.js';
import type { Side } from '../compare/side.js';
import type { CodeFunction } from '../match/functions.js';
import type { OriginalCode } from '../patch-file/model.js';
import type { Plan } from '../plan.js';
import { isPrintable, quotedText } from '../printable.js';

const LONGEST_TEXT = 48;
const LONGEST_NAME = 512;

/** Each replaced function, followed by its parts. */
export const originalsOf = ({ modified, context }: Plan): OriginalCode[] =>
  modified.flatMap(({ old }) => [old, ...old.parts].map((part) => originalOf(context.before, part)));

function originalOf(side: Side, fn: CodeFunction): OriginalCode {
  const start = fn.address - fn.section.address;
  const names: { at: number; name: string }[] = [];
  for (const instruction of instructionsOf(fn)) {
    if (instruction.fieldSize === 0) continue;
    const { address } = referenceOf(fn, instruction);
    if (address > fn.address && address < fn.address + fn.size) continue;
    const name = nameOf(side, address);
    if (isPrintable(name)) names.push({ at: instruction.offset, name: name.slice(0, LONGEST_NAME) });
  }
  return {
    name: fn.name,
    address: linkAddress(fn.address),
    code: fn.section.bytes.slice(start, start + fn.size),
    names,
  };
}

function nameOf(side: Side, address: number): string {
  const referent = referentAt(side, address);
  if (referent.kind === 'constant') {
    const text = textAt(side, address);
    const words = text !== null && text.length > 1 ? quotedText(text.subarray(0, -1), LONGEST_TEXT) : null;
    if (words !== null) return words;
    return `${referent.section.name}+0x${(address - referent.section.address).toString(16)}`;
  }
  return describe(referent);
}
