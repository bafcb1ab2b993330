// SPDX-License-Identifier: MIT
/** Both sides and what is paired with what: the frame every comparison happens in. */
import { Workspace } from '../core/workspace.js';
import type { ElfImage } from '../elf/image.js';
import { NameIds } from '../elf/name-ids.js';
import { isConstant } from '../elf/sections.js';
import type { CodeFunction } from '../match/functions.js';
import type { DataObject } from '../match/objects.js';
import { type Pairing, pairNamed } from '../match/pair.js';
import { type NamedSide, pairUnique } from '../match/unique.js';
import { type Known, knownFrom } from './known.js';
import { makeSide, type Side } from './side.js';
import { findSuspects } from './suspects.js';

export interface Context {
  readonly space: Workspace;
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
  /** Numbers for names of both sides' symbol tables, and for those of their dynamic ones. */
  readonly names: NameIds;
  readonly dynamicNames: NameIds;
  /** What pairing alone tells. */
  readonly known: Known;
  /** New functions that may differ from their old ones, or have none; all others are the same. In order of address. */
  readonly suspects: readonly CodeFunction[];
}

/** `space`: what both files are in, if they are in one. */
export function makeContext(oldImage: ElfImage, newImage: ElfImage, space = Workspace.empty()): Context {
  let suspects: readonly CodeFunction[] | null = null;
  let known: Known | null = null;
  const names = new NameIds(space);
  const [oldIds, newIds] = [names.of(oldImage.symbolTable), names.of(newImage.symbolTable)];
  const before = makeSide(oldImage, names, space);
  const after = makeSide(newImage, names, space);
  const unique = (olds: NamedSide['things'], news: NamedSide['things']) =>
    pairUnique(
      { things: olds, table: oldImage.symbolTable, nameIds: oldIds },
      { things: news, table: newImage.symbolTable, nameIds: newIds },
      names,
    );
  const context: Context = {
    space,
    before,
    after,
    functions: pairNamed(
      before.functions,
      after.functions,
      (fn) => fn.code.hash,
      () => true,
      unique(before.functions, after.functions),
    ),
    objects: pairNamed(
      before.objects,
      after.objects,
      contentKeeper(),
      (object) => isConstant(object.section),
      unique(before.objects, after.objects),
    ),
    equalObjects: new Map<DataObject, boolean>(),
    equalConstants: new Map<string, boolean>(),
    taken: [],
    names,
    dynamicNames: new NameIds(space),
    get known() {
      known ??= knownFrom(context);
      return known;
    },
    get suspects() {
      suspects ??= findSuspects(context);
      return suspects;
    },
  };
  return context;
}

/** What pairing goes by where names do not tell: the content of constants, the size of variables. */
function contentKeeper(): (object: DataObject) => string {
  const contents = new Map<DataObject, string>();
  return (object) => {
    const { section, address, size } = object;
    let content = contents.get(object);
    if (content === undefined) {
      const start = address - section.address;
      content = isConstant(section)
        ? Buffer.from(section.bytes.subarray(start, start + size)).toString('latin1')
        : `${section.name} ${size}`;
      contents.set(object, content);
    }
    return content;
  };
}
