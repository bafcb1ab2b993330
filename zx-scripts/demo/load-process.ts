// SPDX-License-Identifier: MIT
// The load in a process of its own, so that what its parent does is not taken for the server's slowness. The child is told
// port and connections; it is ready when it loads, and answers the question for the windows with its figures, and ends.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Load, type LoadTotals } from './load.js';
import { TrialError } from './servers.js';
import { statsOf, type Window, type WindowStats } from './windows.js';

/** `during` is all of apply; `transition` is its part from the call that migrates to the end. */
export const windowNames = ['before', 'during', 'transition', 'after'] as const;
export type WindowName = (typeof windowNames)[number];
export type Windows = Readonly<Record<WindowName, Window>>;

export interface LoadReport {
  readonly windows: Readonly<Record<WindowName, WindowStats>>;
  readonly totals: LoadTotals;
}

export interface LoadProcess {
  /** Ends the load. */
  report(windows: Windows): Promise<LoadReport>;
  kill(): void;
}

const self = fileURLToPath(import.meta.url);

export async function startLoad(port: number, connections: number): Promise<LoadProcess> {
  const child = fork(self, [String(port), String(connections)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const message = () =>
    new Promise<unknown>((resolve, reject) => {
      const onExit = (status: number | null) => reject(new TrialError(`the load ended by itself, status ${status}`));
      child.once('exit', onExit).once('error', reject);
      child.once('message', (said) => {
        child.removeListener('exit', onExit);
        resolve(said);
      });
    });
  await message();
  return {
    async report(windows) {
      child.send(windows);
      return (await message()) as LoadReport;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

async function main(port: number, connections: number): Promise<void> {
  const load = await Load.start(port, connections);
  process.once('message', async (windows: Windows) => {
    const totals = await load.stop();
    const samples = load.taken();
    const report: LoadReport = {
      windows: {
        before: statsOf(samples, windows.before, 'inside'),
        during: statsOf(samples, windows.during, 'touching'),
        transition: statsOf(samples, windows.transition, 'touching'),
        after: statsOf(samples, windows.after, 'inside'),
      },
      totals,
    };
    process.send!(report, () => process.exit(0));
  });
  process.once('disconnect', () => process.exit(1));
  process.send!('ready');
}

if (process.argv[1] === self) await main(Number(process.argv[2]), Number(process.argv[3]));
