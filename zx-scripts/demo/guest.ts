// SPDX-License-Identifier: MIT
// What `npm run demo` runs in the guest: the trial, told on stdout as one JSON object per line.
//
//   node dist/zx-scripts/demo/guest.js PROJECT SECONDS LONGEST_WARM_UP

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { RuntimeError } from '../../runtime/index.js';
import { ServerError } from '../servers/process.js';
import type { GuestEvent } from './guest-events.js';
import { demoFolder, names } from './names.js';
import { runTrial } from './trial.js';

const [project, seconds, warm] = process.argv.slice(2);
const folder = demoFolder(project!);
const tell = (event: GuestEvent) => void process.stdout.write(`${JSON.stringify(event)}\n`);

const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
tell({ kind: 'guest', kernel, processors: availableParallelism() });
try {
  const outcome = await runTrial({
    program: join(folder, names.old),
    patchFile: join(folder, names.patch),
    windowSeconds: Number(seconds),
    warmSeconds: Number(warm),
    onEvent: tell,
  });
  tell({ kind: 'outcome', outcome });
} catch (error) {
  if (!(error instanceof RuntimeError || error instanceof ServerError)) throw error;
  tell({ kind: 'failed', message: error.message });
  process.exitCode = 4;
}
