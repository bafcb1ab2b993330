// SPDX-License-Identifier: MIT
// The servers of the demo: memcached as a store, and memcached as a proxy before it. On 127.0.0.1 only; ended by their ids.

import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** proxy.lua names the store's port as well. */
export const ports = { proxy: 11310, store: 11311, victim: 11312 } as const;

/** The proxy's worker threads. */
export const workers = 4;

/** A server or the load did not do what the trial needs. */
export class TrialError extends Error {
  override readonly name = 'TrialError';
}

const startMs = 30_000;

export interface Server {
  readonly pid: number;
  readonly port: number;
  /** What it has written on stderr. */
  said(): string;
  /** Null while it runs; then its signal's name or its status. */
  ending(): string | null;
  stop(): Promise<void>;
}

export async function startServer(program: string, port: number, words: readonly string[]): Promise<Server> {
  const listen = ['-u', 'root', '-l', '127.0.0.1', '-p', String(port), '-U', '0'];
  const child = spawn(program, [...listen, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  const server = await watched(child, port);
  const deadline = Date.now() + startMs;
  while (!(await answers(port))) {
    const ending = server.ending();
    if (ending === null && Date.now() < deadline) {
      await sleep(50);
      continue;
    }
    await server.stop();
    const found = ending === null ? `nothing within ${startMs / 1000} s` : `its end (${ending})`;
    throw new TrialError(`${program}: expected it to listen on port ${port}, found ${found}: ${server.said()}`);
  }
  return server;
}

async function watched(child: ChildProcess, port: number): Promise<Server> {
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  let said = '';
  child.stderr!.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-2000);
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    pid: child.pid!,
    port,
    said: () => said,
    ending: () => child.signalCode ?? (child.exitCode === null ? null : `status ${child.exitCode}`),
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    return await new Promise<boolean>((resolve) =>
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
    );
  } finally {
    socket.destroy();
  }
}

/** How it ended, if it does so within `ms`. */
export async function endingWithin(server: Server, ms: number): Promise<string | null> {
  for (const deadline = Date.now() + ms; server.ending() === null && Date.now() < deadline; ) await sleep(20);
  return server.ending();
}
