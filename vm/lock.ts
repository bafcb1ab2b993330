// SPDX-License-Identifier: MIT
// One at a time, between processes. The lock is flock(2), held by a small child whose standard input is a pipe from us: when
// we end, in whatever way, the pipe closes, the child ends, and the kernel drops the lock. So there are no stale locks.

import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { VmError } from './errors.js';

export async function withLock<T>(path: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const holder = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo held; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = new Promise<void>((resolve) => holder.once('close', () => resolve()));
  const slow = setTimeout(onWait, 500);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.once('error', (cause) =>
        reject(new VmError('NO_TOOL', { where: 'flock', what: cause.message }, { cause })),
      );
      holder.once('exit', (code) =>
        reject(new VmError('TOOL_FAILED', { where: `flock ${path}`, what: `status ${code}` })),
      );
      holder.stdout.once('data', () => resolve());
    });
    clearTimeout(slow);
    return await work();
  } finally {
    clearTimeout(slow);
    holder.stdin.end();
    await ended;
  }
}
