// SPDX-License-Identifier: MIT
// How a script ends: statuses, signals, and one line for what went wrong. Shared by the scripts that run a guest.

import { VmError } from '../vm/index.js';
import { MissingPackagesError } from './system-packages.js';

/** The guest was lost or its kernel complained: outside what commands commonly exit with. */
export const failedVm = 125;

/** One line on stderr. */
export const complain = (line: string): void => void process.stderr.write(`${line}\n`);

const signalNumbers = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
let received: keyof typeof signalNumbers | null = null;

/** From now on a signal cancels what is going on, and the script ends after it has cleaned up. */
export function cancelOnSignals(): AbortSignal {
  const abort = new AbortController();
  for (const name of Object.keys(signalNumbers) as (keyof typeof signalNumbers)[])
    process.on(name, () => {
      received ??= name;
      abort.abort(`${name} was received`);
    });
  return abort.signal;
}

/** Run the script's main function and end the process: after its output is written, with its status. */
export async function reportAndExit(name: string, main: () => Promise<number>): Promise<never> {
  const status = await main().catch((error: unknown) => {
    if (received) return 128 + signalNumbers[received];
    if (error instanceof VmError || error instanceof MissingPackagesError) {
      complain(`${name}: ${error.message}`);
      return failedVm;
    }
    throw error;
  });
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))));
  process.exit(status);
}
