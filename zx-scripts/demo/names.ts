// SPDX-License-Identifier: MIT
// Where things lie, for the host, which puts them there, and the guest, which finds them at the same place of its checkout.

import { join } from 'node:path';

/** Debian's series counts from 0: CVE-2023-46852, an overflow of a buffer on the stack, in the proxy's multiget. */
export const fix = '007';

/** Inside the demo's folder. */
export const names = {
  old: 'old/memcached',
  new: 'new/memcached',
  patch: `${fix}.drift`,
  page: 'report.html',
  figures: 'report.json',
} as const;

export const demoFolder = (project: string): string => join(project, 'dist/demo');
