// SPDX-License-Identifier: MIT
// What `npm run evaluate -- corpus` runs in the guest: cases, one after the other, told on stdout as one JSON object per line.
//
//   node dist/zx-scripts/evaluate/corpus/guest.js PLAN

import { readFileSync } from 'node:fs';
import { ServerError } from '../../servers/process.js';
import type { Case, CorpusEvent } from './case.js';
import { runCase } from './trial.js';

const tell = (event: CorpusEvent) => void process.stdout.write(`${JSON.stringify(event)}\n`);

for (const job of JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Case[]) {
  const { program, fix } = job;
  tell({ kind: 'begin', program, fix });
  try {
    const result = await runCase(job, (round) => tell({ kind: 'round', program, fix, round }));
    tell({ kind: 'end', result });
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    process.stderr.write(`${program} ${fix}: ${error.message}\n`);
    process.exitCode = 4;
  }
}
