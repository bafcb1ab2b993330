// SPDX-License-Identifier: MIT
// A program that is built from a Debian source package: how, and what of it is kept. The package's own series of patches keeps
// its fixes apart, counted from 0; one of our own may stand at its end.

import type { SystemPackage } from '../system-packages.js';

export interface SourceProgram {
  readonly name: string;
  /** The source package, and the one version of it that is meant. */
  readonly source: string;
  readonly version: string;
  readonly packages: readonly SystemPackage[];
  /** For a shell, in the patched source. $JOBS is how many at a time, $OWN the folder of `own`. */
  readonly build: string;
  /** What is kept: its name there, and its path in the built tree. */
  readonly keep: Readonly<Record<string, string>>;
  /** Files of this checkout that the build uses. */
  readonly own?: readonly string[];
  /** A patch of this checkout that follows the package's series, as a fix like any other. */
  readonly ownFix?: string;
  /** A patch of this checkout that puts the barrier of quiescence.h into the program. */
  readonly barrier?: string;
}
