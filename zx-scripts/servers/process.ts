// SPDX-License-Identifier: MIT
// Servers as processes: started on 127.0.0.1, waited for until they accept connections, ended by their ids.

import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server, or the load on it, did not do what was needed of it. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
}

const startMs = 60_000;

export interface ServerWords {
  readonly program: string;
  readonly words: readonly string[];
  readonly port: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Server {
  readonly pid: number;
  readonly port: number;
  /** The end of what it has written on stderr. */
  said(): string;
  /** Null while it runs; then its signal's name or its status. */
  ending(): string | null;
  stop(): Promise<void>;
}

export async function startServer({ program, words, port, cwd, env }: ServerWords): Promise<Server> {
  const child = spawn(program, words, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
    // A group of its own: what it forks ends with it.
    detached: true,
  });
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
    throw new ServerError(`${program}: expected it to listen on port ${port}, found ${found}: ${server.said()}`);
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
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // Nobody of the group is left.
      }
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
