// SPDX-License-Identifier: MIT
/** The libraries that a file is linked with (DT_NEEDED), and which of them an import is to come from. */
import { printable } from '../printable.js';
import type { ElfImage } from './image.js';
import type { Section } from './sections.js';
import { stringAt, versionNeeds, versionNumbers, viewOf } from './symbols.js';

const SHT_DYNAMIC = 6;
const DT_NEEDED = 1;
const ENTRY = 16;

export function neededLibraries(sections: readonly Section[]): string[] {
  const dynamic = sections.find(({ type }) => type === SHT_DYNAMIC);
  const strings = dynamic && sections[dynamic.link];
  if (!dynamic || !strings) return [];
  const view = viewOf(dynamic.bytes);
  const names: string[] = [];
  for (let at = 0; at + ENTRY <= dynamic.bytes.length; at += ENTRY)
    if (view.getBigUint64(at, true) === BigInt(DT_NEEDED))
      names.push(printable(stringAt(strings.bytes, view.getUint32(at + 8, true))));
  return names;
}

/** The library that has to have an import, if its version says so; null if any may. */
export function libraryOf(image: ElfImage, name: string, version: string | null): string | null {
  const index = image.dynamicSymbols.findIndex(
    (symbol, i) => symbol.name === name && symbol.section === 0 && image.versions[i] === version,
  );
  if (index < 0) return null;
  const number = versionNumbers(image.sections, image.dynamicSymbols.length)[index]!;
  const library = versionNeeds(image.sections).get(number)?.library;
  return library === undefined ? null : printable(library);
}
