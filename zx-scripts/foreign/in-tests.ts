// SPDX-License-Identifier: MIT
// What `npm test` runs of the foreign suites, put where the guest sees it: dist/tests/foreign/ of the checkout. Only programs
// that need nothing but the C library: the guest's image has no more.

import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ShownProgress } from '../show-progress.js';
import { buildMmSelftests, mmSelftests } from './mm-selftests.js';
import type { ForeignTest } from './suite.js';

/** Not what needs more libraries, nor what takes long where nothing is fast. */
const notHere = /^\.\/(ksm_tests|mlock-random-test|madv_populate|mdwe_test)\b/;

export const inEveryTest: readonly ForeignTest[] = mmSelftests.tests.filter(
  ({ quick, command }) => quick && !notHere.test(command),
);

export const foreignFolder = (project: string): string => join(project, 'dist/tests/foreign-programs');

export async function prepareForeign(project: string, shown: ShownProgress): Promise<void> {
  const programs = await buildMmSelftests(shown);
  await mkdir(foreignFolder(project), { recursive: true });
  for (const { command } of inEveryTest) {
    const name = command.slice('./'.length);
    await copyFile(join(programs, name), join(foreignFolder(project), name));
  }
}
