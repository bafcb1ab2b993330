// SPDX-License-Identifier: MIT
/**
 * LIBRARY_NEW: new code calls into a library that the old file was not linked with, so that the process may not have it.
 *
 * Example: the fix calls `cos`, and the new file is linked with -lm. Nothing loads a library into a process that runs. The author
 * may know that another library brings it in anyway; `driftpatch apply` looks for the symbol in all that the process has.
 */
import { importName } from '../elf/image.js';
import { libraryOf, neededLibraries } from '../elf/libraries.js';
import type { Judged, RuleFinding } from './rule.js';

/** Libraries that are linked with others, wherever they come from. */
const BRINGS: readonly (readonly [string, readonly string[]])[] = [['libstdc++.so.6', ['libgcc_s.so.1', 'libm.so.6']]];

export function importLibrary({ plan, imports }: Judged): RuleFinding[] {
  const { before, after } = plan.context;
  const known = new Set(neededLibraries(before.image.sections));
  for (const [library, others] of BRINGS) if (known.has(library)) for (const other of others) known.add(other);
  const added = neededLibraries(after.image.sections).filter((library) => !known.has(library));
  if (added.length === 0) return [];
  const old = new Set(before.image.dynamicSymbols.map(({ name }) => name));
  return imports.flatMap(({ name, version }) => {
    const library = libraryOf(after.image, name, version);
    if (old.has(name) || (library !== null && !added.includes(library))) return [];
    return [
      {
        code: 'LIBRARY_NEW',
        symbol: importName({ name, version }),
        message: `new code needs ${importName({ name, version })} of ${library ?? added.join(' or ')}, which the old file is not linked with, so that the process may not have it; use what its libraries have`,
        allowable: true,
      },
    ];
  });
}
