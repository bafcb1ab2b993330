// SPDX-License-Identifier: MIT
// Runs a command of ours as a person would, in a process of its own, and tells what it took.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Usage } from './report-usage.js';

const reporter = new URL('./report-usage.js', import.meta.url).href;
/** dist/, where the commands are. */
const commands = fileURLToPath(new URL('../../', import.meta.url));

export interface Ran extends Usage {
  readonly status: number;
  readonly stdout: string;
  /** From its start to its end, as who waits for it sees it. */
  readonly seconds: number;
}

/** `file` is relative to dist/, such as planner/planner.js. Throws for a status that is not among `allow`. */
export async function runNode(
  file: string,
  args: readonly string[],
  allow: readonly number[] = [0],
  signal?: AbortSignal,
): Promise<Ran> {
  const began = performance.now();
  const child = spawn(process.execPath, ['--import', reporter, `${commands}${file}`, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    ...(signal && { signal }),
  });
  const texts = ['', '', ''];
  [1, 2, 3].forEach((fd, at) => {
    child.stdio[fd]!.on('data', (bytes: Buffer) => {
      texts[at] += bytes.toString();
    });
  });
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, killedBy) => (killedBy ? reject(new Error(`${file}: ${killedBy}`)) : resolve(code!)));
  });
  const seconds = (performance.now() - began) / 1000;
  const [stdout, stderr, usage] = texts as [string, string, string];
  if (!allow.includes(status)) throw new Error(`${file} ${args.join(' ')}: status ${status}: ${stderr.trim()}`);
  return { status, stdout, seconds, ...(JSON.parse(usage) as Usage) };
}
