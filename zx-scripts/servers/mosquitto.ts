// SPDX-License-Identifier: MIT
// mosquitto: every connection of the load subscribes to a topic of its own and publishes to it, so that it gets back what it sent.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Request, type Requests, randomNumbers } from '../load/request.js';
import { type Server, startServer } from './process.js';
import type { SourceProgram } from './source-program.js';
import type { Subject } from './subject.js';
import { closed, talk } from './talk.js';

const program: SourceProgram = {
  name: 'mosquitto',
  source: 'mosquitto',
  version: '2.0.11-1.2+deb12u2',
  packages: ['libssl-dev'],
  build: 'make -s -j$JOBS -C src WITH_CJSON=no',
  keep: { mosquitto: 'src/mosquitto' },
  barrier: fileURLToPath(new URL('../../../zx-scripts/servers/quiescence-mosquitto.patch', import.meta.url)),
};

const port = 11340;
const configuration = `
listener ${port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
log_dest none
user root
`;

async function start(folder: string, scratch: string): Promise<Server> {
  const file = join(scratch, 'mosquitto.conf');
  writeFileSync(file, configuration);
  return startServer({ program: `${folder}/mosquitto`, port, words: ['-c', file] });
}

/** A packet: its first byte, how long the rest is, the rest. */
function packet(first: number, ...parts: readonly Buffer[]): Buffer {
  const rest = Buffer.concat(parts);
  const length: number[] = [];
  for (let left = rest.length; ; left >>= 7) {
    length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    if (left <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([first, ...length]), rest]);
}

const number = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const text = (value: string): Buffer => Buffer.concat([number(value.length), Buffer.from(value)]);

class MqttRequests implements Requests {
  private readonly name: string;
  private readonly random: () => number;
  private sent = 0;

  constructor(connection: number) {
    this.name = `load-${connection}`;
    this.random = randomNumbers(connection * 7919 + 1);
  }

  /** Connect, subscribe, then publish: at first a message comes back as it was sent, then its receipt. */
  next(): Request {
    const count = this.sent++;
    const id = number(1 + (count % 60_000));
    if (count === 0) {
      const keepAlive = number(0);
      const bytes = packet(0x10, text('MQTT'), Buffer.from([4, 2]), keepAlive, text(this.name));
      return { bytes, expected: packet(0x20, Buffer.from([0, 0])) };
    }
    if (count === 1)
      return {
        bytes: packet(0x82, id, text(this.name), Buffer.from([0])),
        expected: packet(0x90, id, Buffer.from([0])),
      };
    const word = Math.floor(this.random() * 0x100000000).toString(36);
    const body = Buffer.from(word.repeat(1 + Math.floor(this.random() * 60)));
    return {
      bytes: packet(0x32, text(this.name), id, body),
      expected: Buffer.concat([packet(0x30, text(this.name), body), packet(0x40, id)]),
    };
  }
}

/** The head of a message of a hundred bytes, from somebody who has not said who he is; and nothing more. */
async function unknownSender({ port: to }: Server): Promise<string> {
  const heard = await talk(to, Buffer.from([0x30, 100]), (said) => said.length > 0, 2);
  return heard === closed || heard === '[ECONNRESET]' ? 'hangs up' : heard === '' ? 'waits' : heard;
}

export const mosquitto: Subject = {
  program,
  object: 'mosquitto',
  fixes: [
    { index: '007', expect: 'patch' },
    {
      index: '008',
      expect: 'patch',
      about: 'to one who publishes without having connected, it',
      behaviour: { ask: unknownSender, old: 'waits', new: 'hangs up' },
    },
    { index: '009', expect: 'patch' },
    { index: '012', expect: { refused: ['LAYOUT_CHANGED', 'DATA_CHANGED'] } },
  ],
  start: ({ folder, scratch }) => start(folder, scratch),
  connections: 16,
  requests: (connection) => new MqttRequests(connection),
};
