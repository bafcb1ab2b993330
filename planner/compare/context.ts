// SPDX-License-Identifier: MIT
/** Both sides and what is paired with what: the frame every comparison happens in. */
import type { ElfImage } from '../elf/image.js';
import { bytesAt } from '../elf/image.js';
import { isConstant } from '../elf/sections.js';
import type { CodeFunction } from '../match/functions.js';
import type { DataObject } from '../match/objects.js';
import { type Pairing, pairNamed } from '../match/pair.js';
import { makeSide, type Side } from './side.js';

export interface Context {
  readonly before: Side;
  readonly after: Side;
  readonly functions: Pairing<CodeFunction>;
  readonly objects: Pairing<DataObject>;
  /** Answers already found for pairs of constant objects, by the new one. */
  readonly equalObjects: Map<DataObject, boolean>;
  /** The same for unnamed constants, by both addresses and the size. */
  readonly equalConstants: Map<string, boolean>;
  /** What takes back each yes among these answers, in their order. */
  readonly taken: (() => void)[];
}

export function makeContext(oldImage: ElfImage, newImage: ElfImage): Context {
  const before = makeSide(oldImage);
  const after = makeSide(newImage);
  const objectContent = (image: ElfImage) => (object: DataObject) =>
    isConstant(object.section)
      ? Buffer.from(bytesAt(image, object.address, object.size) ?? []).toString('latin1')
      : `${object.section.name} ${object.size}`;
  const contents = new Map<DataObject, string>();
  for (const side of [before, after])
    for (const object of side.objects) contents.set(object, objectContent(side.image)(object));
  return {
    before,
    after,
    functions: pairNamed(
      before.functions,
      after.functions,
      (fn) => fn.code.hash,
      () => true,
    ),
    objects: pairNamed(
      before.objects,
      after.objects,
      (object) => contents.get(object),
      (object) => isConstant(object.section),
    ),
    equalObjects: new Map(),
    equalConstants: new Map(),
    taken: [],
  };
}
