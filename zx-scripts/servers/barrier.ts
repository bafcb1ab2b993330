// SPDX-License-Identifier: MIT
// Raising the barrier in servers that have it compiled in (quiescence.h): all of a process's threads gather, and go on.

import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { ServerError } from './process.js';

/** Milliseconds until the last thread had come, and until the last one had gone on. */
export interface Gathering {
  readonly come: number;
  readonly gone: number;
}

/** Whether the process has it: of prefork servers, the one that waits for the others may have none. */
export const hasBarrier = (pid: number): boolean => existsSync(socketOf(pid));

export async function raiseBarrier(pid: number, seconds: number): Promise<Gathering> {
  const socket = connect(socketOf(pid));
  try {
    const line = await new Promise<string>((resolve, reject) => {
      const late = () => reject(new ServerError(`process ${pid}: expected all threads within ${seconds} s`));
      setTimeout(late, seconds * 1000).unref();
      socket.once('error', reject).once('data', (bytes) => resolve(bytes.toString()));
      socket.once('connect', () => socket.write('x'));
    });
    const [come, gone] = line.split(' ').map((word) => Number(word) / 1000);
    return { come: come!, gone: gone! };
  } finally {
    socket.destroy();
  }
}

const socketOf = (pid: number): string => `/tmp/quiescence-${pid}`;
