// SPDX-License-Identifier: MIT
// The checkout as the repository's own suites see it: files that git knows or would add, never what a build left behind.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const checkout = fileURLToPath(new URL('../../../', import.meta.url));

export function filesOfCheckout(): string[] {
  const words = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const listed = execFileSync('git', words, { cwd: checkout, encoding: 'utf8', maxBuffer: 1 << 26 });
  const files = listed.split('\0').filter((file) => file && existsSync(join(checkout, file)));
  if (files.length === 0) throw new Error(`expected files in ${checkout}, found none`);
  return files.sort();
}

export const contentOf = (file: string): string => readFileSync(join(checkout, file), 'utf8');
