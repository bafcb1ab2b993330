// SPDX-License-Identifier: MIT
// The requests that show the bug (CVE-2023-46852). The proxy copies everything before the first key into a buffer on the
// stack; spaces count. A few are forwarded as if nothing were wrong, many overflow it. The fixed function refuses both.

import { connect, type Socket } from 'node:net';
import { valueLines } from './memcached-requests.js';
import { ServerError } from './process.js';

const pair = { 'probe-a': 'one', 'probe-b': 'two' } as const;
const names = Object.keys(pair).join(' ');

/** Harmless spaces: more than the fix allows, fewer than the old buffer holds. */
export const harmless = 40;
/** Enough to write past the old buffer's end. */
export const overflowing = 300;

export const multiget = (spaces: number): string => `get${' '.repeat(spaces)}${names}\r\n`;

const values = Object.entries(pair)
  .map(([key, value]) => valueLines(key, value))
  .join('');
const refusal = 'SERVER_ERROR malformed request\r\n';
export const answers = { values: `${values}END\r\n`, refused: `${refusal}${refusal}END\r\n` } as const;

export type Answer = 'values' | 'refused' | 'connection closed' | string;

/** One connection; memcached deals connections to its workers in turn, so four of them ask four workers. */
export class Probe {
  private readonly socket: Socket;
  private heard = '';
  private closed = false;
  private wake = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.heard += bytes.toString('latin1');
      this.wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
  }

  static async open(port: number): Promise<Probe> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise<void>((resolve, reject) =>
      socket
        .once('connect', resolve)
        .once('error', ({ message }) =>
          reject(new ServerError(`port ${port}: expected a connection, found ${message}`)),
        ),
    );
    return new Probe(socket);
  }

  async store(): Promise<void> {
    for (const [key, value] of Object.entries(pair)) {
      const answer = await this.say(`set ${key} 0 0 ${value.length}\r\n${value}\r\n`, 'STORED\r\n');
      if (answer !== 'STORED\r\n') throw new ServerError(`expected STORED for ${key}, found ${JSON.stringify(answer)}`);
    }
  }

  /** A multiget with this many spaces after the word, and what comes back. */
  async ask(spaces: number): Promise<Answer> {
    const answer = await this.say(multiget(spaces), 'END\r\n');
    if (answer === answers.values) return 'values';
    if (answer === answers.refused) return 'refused';
    return answer === '' && this.closed ? 'connection closed' : answer;
  }

  close(): void {
    this.socket.destroy();
  }

  /** Hears until `end`, until the server closes, or for ten seconds. */
  private async say(line: string, end: string): Promise<string> {
    this.heard = '';
    this.socket.write(line);
    const deadline = Date.now() + 10_000;
    while (!this.heard.endsWith(end) && !this.closed && Date.now() < deadline)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    return this.heard;
  }
}
