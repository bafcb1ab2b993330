// SPDX-License-Identifier: MIT
// The load in a process of its own, so that what its parent does is not taken for the server's slowness. The child is told
// what to ask, where, and how; it says when it is ready, and from then on answers: how many requests so far, what happened in
// some windows of time, and at its end how everything went.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ServerError } from '../servers/process.js';
import { subjectNamed } from '../servers/subjects.js';
import { Load, type LoadTotals } from './load.js';
import { belongs, now, type Sample, statsOf, type Window, type WindowStats } from './windows.js';

export interface LoadWords {
  /** Its name in servers/subjects.ts. */
  readonly server: string;
  readonly port: number;
  readonly connections: number;
  /** Open: so many requests are due per second. */
  readonly perSecond?: number;
}

export interface AskedWindow extends Window {
  readonly which: 'inside' | 'touching';
}

export interface LoadProcess {
  readonly pid: number;
  /** Requests so far, and how many of them failed. */
  count(): Promise<{ requests: number; failed: number }>;
  /** What has ended since this was last asked. */
  lately(): Promise<WindowStats>;
  /** What happened in these windows, which have passed. */
  windows(windows: readonly AskedWindow[]): Promise<readonly WindowStats[]>;
  /** Every latency that belongs to these windows, for plots. */
  samples(window: AskedWindow): Promise<readonly Sample[]>;
  /** Ends the load. */
  stop(): Promise<LoadTotals>;
  kill(): void;
}

type Question =
  | { readonly ask: 'count' | 'lately' | 'stop' }
  | { readonly ask: 'windows'; readonly windows: readonly AskedWindow[] }
  | { readonly ask: 'samples'; readonly window: AskedWindow };

const self = fileURLToPath(import.meta.url);

export async function startLoad(words: LoadWords): Promise<LoadProcess> {
  const child = fork(self, [JSON.stringify(words)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const message = () =>
    new Promise<unknown>((resolve, reject) => {
      const settle = (action: () => void) => {
        child.removeListener('exit', onExit).removeListener('error', onError).removeListener('message', onMessage);
        action();
      };
      const onExit = (status: number | null) =>
        settle(() => reject(new ServerError(`the load ended by itself, status ${status}`)));
      const onError = (error: Error) => settle(() => reject(error));
      const onMessage = (said: unknown) => settle(() => resolve(said));
      child.once('exit', onExit).once('error', onError).once('message', onMessage);
    });
  await message();
  // One question at a time: an answer does not say what it answers.
  let last: Promise<unknown> = Promise.resolve();
  const ask = (question: Question): Promise<unknown> => {
    const answered = last.then(async () => {
      const answer = message();
      child.send(question);
      return await answer;
    });
    last = answered.catch(() => {});
    return answered;
  };
  return {
    pid: child.pid!,
    count: async () => (await ask({ ask: 'count' })) as { requests: number; failed: number },
    lately: async () => (await ask({ ask: 'lately' })) as WindowStats,
    windows: async (windows) => (await ask({ ask: 'windows', windows })) as WindowStats[],
    samples: async (window) => (await ask({ ask: 'samples', window })) as Sample[],
    stop: async () => (await ask({ ask: 'stop' })) as LoadTotals,
    kill: () => void child.kill('SIGKILL'),
  };
}

async function main({ server, ...words }: LoadWords): Promise<void> {
  const load = await Load.start({ ...words, requests: subjectNamed(server).requests });
  const asked = { samples: 0, from: now() };
  const answer = async (question: Question): Promise<unknown> => {
    const samples = load.taken();
    switch (question.ask) {
      case 'count':
        return { requests: samples.length, failed: samples.filter(({ ok }) => !ok).length };
      case 'lately': {
        const window = { from: asked.from, to: now() };
        const found = statsOf(samples.slice(asked.samples), window, 'touching');
        Object.assign(asked, { samples: samples.length, from: window.to });
        return found;
      }
      case 'windows':
        return question.windows.map((window) => statsOf(samples, window, window.which));
      case 'samples':
        return samples.filter((sample) => belongs(sample, question.window, question.window.which));
      case 'stop':
        return await load.stop();
    }
  };
  process.on('message', async (question: Question) => {
    const said = await answer(question);
    process.send!(said, () => {
      if (question.ask === 'stop') process.exit(0);
    });
  });
  process.once('disconnect', () => process.exit(1));
  process.send!('ready');
}

if (process.argv[1] === self) await main(JSON.parse(process.argv[2]!) as LoadWords);
