// SPDX-License-Identifier: MIT
/**
 * Finds separate debug files where debuggers look: by build id below /usr/lib/debug/.build-id, and by the name in .gnu_debuglink beside
 * the file, in .debug/ beside it, and below /usr/lib/debug. A file that is named in the command must be the right one; of those that
 * are found here a wrong one is passed over.
 */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { checkDebugFile, type DebugWish, debugWishOf } from './elf/debug-file.js';
import { ElfError } from './elf/error.js';
import { type DebugFile, openParts } from './elf/open.js';
import { FileError, readElfFile } from './files.js';

const ROOTS: readonly string[] = ['/usr/lib/debug'];

/** The debug file of the ELF file at `path`, or null if it needs none or none is found. `given` is one that was named. */
export function debugFileFor(
  path: string,
  bytes: Uint8Array,
  given: string | undefined,
  roots: readonly string[] = ROOTS,
): DebugFile | null {
  const wish = debugWishOf(openParts(bytes, path).sections);
  const found = given === undefined ? search(path, wish, roots) : { name: given, bytes: readElfFile(given) };
  const own =
    found === null
      ? { wish, path }
      : { wish: debugWishOf(openParts(found.bytes, found.name).sections), path: found.name };
  const shared = own.wish.shared === null ? null : sharedFor(own.path, own.wish.shared, roots);
  if (found === null) return shared && { name: path, bytes: null, shared };
  return { ...found, ...(shared ? { shared } : {}) };
}

function search(path: string, wish: DebugWish, roots: readonly string[]): { name: string; bytes: Uint8Array } | null {
  if (wish.hasSymbols && wish.hasDebugInfo) return null;
  for (const name of candidates(path, wish, roots)) {
    const bytes = readIfFits(name, (sections, content) =>
      checkDebugFile(path, wish, { file: name, bytes: content, sections }),
    );
    if (bytes !== null) return { name, bytes };
  }
  return null;
}

function candidates(path: string, { buildId, link }: DebugWish, roots: readonly string[]): string[] {
  const folder = dirname(realpathSync(path));
  return [
    ...roots.flatMap((root) => (buildId === null ? [] : [byBuildId(root, buildId)])),
    ...(link === null
      ? []
      : [
          join(folder, link.name),
          join(folder, '.debug', link.name),
          ...roots.map((root) => join(root, folder, link.name)),
        ]),
  ].filter((name) => existsSync(name) && realpathSync(name) !== realpathSync(path));
}

const byBuildId = (root: string, id: string): string => join(root, '.build-id', id.slice(0, 2), `${id.slice(2)}.debug`);

/** What dwz took out of several debug files. It must be there: without it types would be missing unnoticed. */
function sharedFor(path: string, { name, buildId }: NonNullable<DebugWish['shared']>, roots: readonly string[]) {
  const places = [
    isAbsolute(name) ? name : resolve(dirname(realpathSync(path)), name),
    ...roots.map((root) => byBuildId(root, buildId)),
  ];
  for (const place of places.filter((one) => existsSync(one))) {
    const bytes = readIfFits(place, (sections) => {
      if (debugWishOf(sections).buildId !== buildId) throw new RangeError('another build id');
    });
    if (bytes !== null) return { name: place, bytes };
  }
  throw new ElfError('DEBUG', {
    file: path,
    place: '.gnu_debugaltlink',
    expected: `the file with build id ${buildId}`,
    found: `none at ${places.join(' or ')}`,
    advice: 'install it, or build without dwz',
  });
}

type Check = (sections: ReturnType<typeof openParts>['sections'], bytes: Uint8Array) => void;

function readIfFits(name: string, check: Check): Uint8Array | null {
  try {
    const bytes = readElfFile(name);
    check(openParts(bytes, name, 'any').sections, bytes);
    return bytes;
  } catch (error) {
    if (error instanceof FileError || error instanceof ElfError || error instanceof RangeError) return null;
    throw error;
  }
}
