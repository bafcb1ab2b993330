// SPDX-License-Identifier: MIT
// redis with four threads for its connections' input and output, beside the main one and three for the background.

import { fileURLToPath } from 'node:url';
import { type Request, type Requests, randomNumbers } from '../load/request.js';
import { type Server, startServer } from './process.js';
import type { SourceProgram } from './source-program.js';
import type { Subject } from './subject.js';
import { talk } from './talk.js';

const program: SourceProgram = {
  name: 'redis',
  source: 'redis',
  version: '5:7.0.15-1~deb12u10',
  packages: ['libssl-dev', 'pkg-config'],
  build: 'make -j$JOBS -C src BUILD_TLS=yes MALLOC=libc redis-server',
  keep: { 'redis-server': 'src/redis-server' },
  barrier: fileURLToPath(new URL('../../../zx-scripts/servers/quiescence-redis.patch', import.meta.url)),
};

const port = 11320;

const start = (folder: string, scratch: string): Promise<Server> => {
  const quiet = ['--save', '', '--appendonly', 'no', '--dir', scratch, '--bind', '127.0.0.1', '--loglevel', 'warning'];
  const threads = ['--io-threads', '4', '--io-threads-do-reads', 'yes'];
  return startServer({
    program: `${folder}/redis-server`,
    port,
    words: ['--port', String(port), ...quiet, ...threads],
  });
};

const command = (...words: readonly (string | Buffer)[]): Buffer =>
  Buffer.concat([
    Buffer.from(`*${words.length}\r\n`),
    ...words.flatMap((word) => [Buffer.from(`$${word.length}\r\n`), Buffer.from(word), Buffer.from('\r\n')]),
  ]);

/** The answer to the last of some commands: a line, without its end. */
async function lastAnswer({ port }: Server, commands: readonly Buffer[]): Promise<string> {
  const heard = await talk(port, Buffer.concat(commands), (text) => text.split('\r\n').length > commands.length);
  return heard.split('\r\n')[commands.length - 1] ?? '';
}

/** A hyperloglog whose runs are so long that their sum passes 2^32 and comes out right again: wrong, and harmless. */
function wrappedHyperloglog(): Buffer {
  const longest = Buffer.from([0x7f, 0xff]); // a run of 2^14 zeroes
  const runs = Buffer.alloc(2 * (2 ** 18 + 1), longest);
  const uncounted = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]); // sparse; what it counts is to be found out
  return Buffer.concat([Buffer.from('HYLL'), uncounted, runs]);
}

const user = 'evaluation';

export const redis: Subject = {
  program,
  object: 'redis-server',
  fixes: [
    { index: '006', expect: 'patch' },
    {
      index: '007',
      expect: 'patch',
      about: 'a user whose key selector is empty is made, or refused',
      behaviour: {
        ask: async (server) => {
          const answer = await lastAnswer(server, [command('ACL', 'SETUSER', user, '%')]);
          await lastAnswer(server, [command('ACL', 'DELUSER', user)]);
          return answer.split(' ')[0]!;
        },
        old: '+OK',
        new: '-ERR',
      },
    },
    {
      index: '010',
      expect: 'patch',
      about: 'a hyperloglog whose lengths overflow is counted, or refused',
      behaviour: {
        ask: async (server) => {
          const set = command('SET', 'hll', wrappedHyperloglog());
          const answer = await lastAnswer(server, [set, command('PFCOUNT', 'hll')]);
          await lastAnswer(server, [command('DEL', 'hll')]);
          return answer.split(' ')[0]!;
        },
        old: ':0',
        new: '-INVALIDOBJ',
      },
    },
    { index: '011', expect: 'patch' },
    { index: '013', expect: { refused: ['LAYOUT_CHANGED', 'DATA_CHANGED'] } },
    {
      index: '016',
      expect: 'patch',
      about: 'a script’s error has its line ends as they are, or as spaces',
      behaviour: {
        ask: async (server) => {
          const answer = await lastAnswer(server, [command('EVAL', "error({err='one\\r\\ntwo'})", '0')]);
          return /^-one( {2}two)?/.exec(answer)?.[0] ?? answer;
        },
        old: '-one',
        new: '-one  two',
      },
    },
    { index: '017', expect: 'patch' },
    { index: '020', expect: 'patch' },
    { index: '021', expect: 'patch' },
  ],
  start: ({ folder, scratch }) => start(folder, scratch),
  connections: 16,
  requests: (connection) => new RedisRequests(connection),
};

const keys = 16;

/** Sets, gets and counters on keys of the connection's own. */
class RedisRequests implements Requests {
  private readonly prefix: string;
  private readonly values: string[] = [];
  private counter = 0;
  private readonly random: () => number;

  constructor(connection: number) {
    this.prefix = `load-${connection}-`;
    this.random = randomNumbers(connection * 7919 + 1);
  }

  next(): Request {
    if (this.counter === 0 && this.values.length === 0) return this.reset();
    if (this.values.length < keys) return this.set(this.values.length);
    const choice = this.random();
    const key = Math.floor(this.random() * keys);
    if (choice < 0.6) return this.get(key);
    return choice < 0.8 ? this.count() : this.set(key);
  }

  /** Another load may have counted before. */
  private reset(): Request {
    const bytes = command('SET', `${this.prefix}counter`, '1');
    this.counter = 1;
    return { bytes, expected: Buffer.from('+OK\r\n') };
  }

  private set(key: number): Request {
    const value = Math.floor(this.random() * 0x100000000)
      .toString(36)
      .repeat(1 + Math.floor(this.random() * 60));
    this.values[key] = value;
    return { bytes: command('SET', this.prefix + key, value), expected: Buffer.from('+OK\r\n') };
  }

  private get(key: number): Request {
    const value = this.values[key]!;
    return { bytes: command('GET', this.prefix + key), expected: Buffer.from(`$${value.length}\r\n${value}\r\n`) };
  }

  private count(): Request {
    this.counter++;
    return { bytes: command('INCR', `${this.prefix}counter`), expected: Buffer.from(`:${this.counter}\r\n`) };
  }
}
