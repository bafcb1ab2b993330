// SPDX-License-Identifier: MIT
// What `npm run evaluate -- servers` runs in the guest: servers, one after the other, told on stdout as one JSON object per line.
//
//   node dist/zx-scripts/evaluate/servers/guest.js PLAN

import { readFileSync } from 'node:fs';
import type { ServerEvent, ServerPlan } from './case.js';
import { runServer } from './trial.js';

const tell = (event: ServerEvent) => void process.stdout.write(`${JSON.stringify(event)}\n`);

const { cases } = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as ServerPlan;
for (const job of cases) await runServer(job, tell);
