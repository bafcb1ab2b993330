// SPDX-License-Identifier: MIT
// What `npm test` runs of the evaluations: of each the least, with one server that needs no more than the guest's image has.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { redis } from '../servers/redis.js';
import type { ShownProgress } from '../show-progress.js';
import type { AfterCase } from './after/case.js';
import { prepareAfter } from './after.js';
import type { Case } from './corpus/case.js';
import { corpusFolder, prepareSubject } from './corpus/prepare.js';
import type { ServerPlan } from './servers/case.js';
import type { SyntheticPlan } from './synthetic/case.js';
import { prepareThreads, quickCases } from './synthetic.js';

const fix = '016';

export interface PlanInTests {
  readonly corpus: Case;
  readonly synthetic: SyntheticPlan;
  readonly servers: ServerPlan;
  readonly after: AfterCase;
}

export const planFile = (project: string): string => join(corpusFolder(project), 'in-tests.json');

export async function prepareEvaluations(project: string, shown: ShownProgress): Promise<void> {
  const fixes = redis.fixes.filter(({ index }) => index === fix);
  const prepared = async (barrier: boolean): Promise<Case> => {
    const [planned] = await prepareSubject(redis, { project, rounds: 2, fixes, shown, barrier });
    if (!planned?.case) throw new Error(`expected a patch, found ${planned?.problems.join('; ')}`);
    return planned.case;
  };
  const [corpus, withBarrier, threads] = [await prepared(false), await prepared(true), await prepareThreads()];
  const plan: PlanInTests = {
    corpus,
    synthetic: { builds: { 0: threads }, cases: quickCases },
    servers: { cases: [{ ...withBarrier, repetitions: 1, windowMs: 500, share: 0.5 }] },
    after: await prepareAfter(corpus, { repetitions: 1, seconds: 1 }, shown),
  };
  await writeFile(planFile(project), JSON.stringify(plan));
}
