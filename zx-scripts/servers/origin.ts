// SPDX-License-Identifier: MIT
// An HTTP server of ours, for a proxy to stand before: a few texts, each always the same. In a process of its own, as a server would be.

import { fork } from 'node:child_process';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { randomNumbers } from '../load/request.js';
import { ServerError } from './process.js';

/** What is served: the n-th text, at /n. */
export const texts = 32;

export const textOf = (number: number): string => {
  const random = randomNumbers(number + 1);
  const word = Math.floor(random() * 0x100000000).toString(36);
  return `${number} ${word.repeat(1 + Math.floor(random() * 600))}\n`;
};

/** Of every other one a proxy may keep a copy; the rest it has to ask for each time. */
export const headersOf = (number: number): Readonly<Record<string, string>> => ({
  Date: new Date(1_700_000_000_000).toUTCString(),
  'Content-Type': 'text/plain',
  'Content-Length': String(textOf(number).length),
  'Cache-Control': number % 2 ? 'no-store' : 'max-age=1000000000',
});

export interface Origin {
  ending(): string | null;
  stop(): Promise<void>;
}

const self = fileURLToPath(import.meta.url);

export async function startOrigin(port: number): Promise<Origin> {
  const child = fork(self, [String(port)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', (status) => reject(new ServerError(`the origin ended by itself, status ${status}`)));
  });
  return {
    ending: () => child.signalCode ?? (child.exitCode === null ? null : `status ${child.exitCode}`),
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

if (process.argv[1] === self) {
  const server = createServer({ keepAliveTimeout: 0 }, ({ url }, response) => {
    const number = Number(url?.slice(1));
    response.sendDate = false;
    response.writeHead(200, headersOf(number)).end(textOf(number));
  });
  process.once('disconnect', () => process.exit(0));
  server.listen(Number(process.argv[2]), '127.0.0.1', () => process.send!('ready'));
}
