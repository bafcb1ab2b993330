// SPDX-License-Identifier: MIT
// The load in a process of its own, so that what its parent does is not taken for the server's slowness. The child is told
// port and connections; it says when it is ready, and from then on answers: how many
// requests so far, and at its end, what happened in which window.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Load, type LoadTotals } from './load.js';
import { TrialError } from './servers.js';
import { statsOf, type Window, type WindowStats } from './windows.js';

/** `during` is all of apply; `transition` is its part from the call that migrates to the fold. */
export const windowNames = ['before', 'during', 'transition', 'after'] as const;
export type WindowName = (typeof windowNames)[number];
export type Windows = Readonly<Record<WindowName, Window>>;

export interface LoadReport {
  readonly windows: Readonly<Record<WindowName, WindowStats>>;
  readonly totals: LoadTotals;
}

export interface LoadProcess {
  /** Requests so far. */
  count(): Promise<number>;
  /** Ends the load. */
  report(windows: Windows): Promise<LoadReport>;
  kill(): void;
}

type Question = 'count' | Windows;

const self = fileURLToPath(import.meta.url);

export async function startLoad(port: number, connections: number): Promise<LoadProcess> {
  const child = fork(self, [String(port), String(connections)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const message = () =>
    new Promise<unknown>((resolve, reject) => {
      const settle = (action: () => void) => {
        child.removeListener('exit', onExit).removeListener('error', onError).removeListener('message', onMessage);
        action();
      };
      const onExit = (status: number | null) =>
        settle(() => reject(new TrialError(`the load ended by itself, status ${status}`)));
      const onError = (error: Error) => settle(() => reject(error));
      const onMessage = (said: unknown) => settle(() => resolve(said));
      child.once('exit', onExit).once('error', onError).once('message', onMessage);
    });
  await message();
  const ask = async (question: Question) => {
    const answer = message();
    child.send(question);
    return await answer;
  };
  return {
    count: async () => (await ask('count')) as number,
    report: async (windows) => (await ask(windows)) as LoadReport,
    kill: () => void child.kill('SIGKILL'),
  };
}

async function main(port: number, connections: number): Promise<void> {
  const load = await Load.start(port, connections);
  process.on('message', async (question: Question) => {
    if (question === 'count') return void process.send!(load.taken().length);
    const windows = question;
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
