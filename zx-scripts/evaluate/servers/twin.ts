// SPDX-License-Identifier: MIT
// The same server once more, of which nobody asks anything: what driftpatch does to it costs what it does to the one that is asked, and
// changes nothing for that one. In a network of its own, for it listens at the same ports.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ServerError } from '../../servers/process.js';
import { subjectNamed } from '../../servers/subjects.js';
import { processesWith } from '../entries.js';
import type { ServerCase } from './case.js';

export interface Twin {
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

const self = fileURLToPath(import.meta.url);
const inOwnNetwork = ['--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];

export async function startTwin({ program, folder, host }: ServerCase, scratch: string): Promise<Twin> {
  const words = [...inOwnNetwork, process.execPath, self, program, folder, host, scratch];
  const child = spawn('unshare', words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const first = await Promise.race([once(child.stdout!, 'data'), ended]);
  if (String(first[0]) !== 'ready\n')
    throw new ServerError(`the twin of ${program} ended by itself, ${first.join(' ')}`);
  const network = networkOf(child.pid!);
  return {
    pids: processesWith(join(folder, subjectNamed(program).object)).filter((pid) => networkOf(pid) === network),
    async stop() {
      child.stdin!.end();
      await ended;
    },
  };
}

const networkOf = (pid: number): string => readlinkSync(`/proc/${pid}/ns/net`);

if (process.argv[1] === self) {
  const [name, folder, host, scratch] = process.argv.slice(2) as [string, string, string, string];
  const server = await subjectNamed(name).start({ folder, host, scratch });
  process.stdin.once('end', async () => {
    await server.stop();
    process.exit(0);
  });
  process.stdin.resume();
  process.stdout.write('ready\n');
}
