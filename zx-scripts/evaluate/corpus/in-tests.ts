// SPDX-License-Identifier: MIT
// What `npm test` runs of the corpus: one fix of one server that needs no more than the guest's image has.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { redis } from '../../servers/redis.js';
import type { ShownProgress } from '../../show-progress.js';
import { corpusFolder, prepareSubject } from './prepare.js';

const fix = '016';

export const planFile = (project: string): string => join(corpusFolder(project), 'in-tests.json');

export async function prepareCorpus(project: string, shown: ShownProgress): Promise<void> {
  const fixes = redis.fixes.filter(({ index }) => index === fix);
  const [planned] = await prepareSubject(redis, { project, rounds: 2, fixes, shown });
  if (!planned?.case) throw new Error(`expected a patch, found ${planned?.problems.join('; ')}`);
  await writeFile(planFile(project), JSON.stringify([planned.case]));
}
