// SPDX-License-Identifier: MIT
// What `npm run evaluate -- after` runs in the guest: servers, one after the other, told on stdout as one JSON object per line.
//
//   node dist/zx-scripts/evaluate/after/guest.js PLAN

import { readFileSync } from 'node:fs';
import type { AfterCase, AfterEvent } from './case.js';
import { measureAfter } from './trial.js';

const tell = (event: AfterEvent) => void process.stdout.write(`${JSON.stringify(event)}\n`);

for (const job of JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as AfterCase[]) await measureAfter(job, tell);
