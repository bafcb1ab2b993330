// SPDX-License-Identifier: MIT
// What `npm run evaluate -- synthetic` runs in the guest: cases, one after the other, told on stdout as one JSON object per line.
//
//   node dist/zx-scripts/evaluate/synthetic/guest.js PLAN

import { readFileSync } from 'node:fs';
import type { SyntheticEvent, SyntheticPlan } from './case.js';
import { runCase } from './trial.js';

const tell = (event: SyntheticEvent) => void process.stdout.write(`${JSON.stringify(event)}\n`);

const { builds, cases } = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as SyntheticPlan;
for (const job of cases) {
  tell({ kind: 'begin', name: job.name });
  const { program, patch } = builds[job.size]!;
  await runCase(program, readFileSync(patch), job, (run) => tell({ kind: 'run', run }));
}
