// SPDX-License-Identifier: MIT
// Run a program of the host to its end, and hand on its lines while it runs. Nothing is printed: output goes to the
// caller's callback, and its tail into the error when the program fails.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { VmError } from './errors.js';

export interface ExecOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly onLine?: (line: string) => void;
  /** Exit statuses that are no failure; 0 alone by default. */
  readonly allow?: readonly number[];
}

export interface ExecResult {
  readonly status: number;
  readonly stdout: string;
}

export async function exec(file: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, LC_ALL: 'C', ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const out: string[] = [];
  const tail: string[] = [];
  const take = (line: string, isOut: boolean) => {
    if (isOut) out.push(line);
    tail.push(line);
    if (tail.length > 25) tail.shift();
    options.onLine?.(line);
  };
  createInterface({ input: child.stdout }).on('line', (line) => take(line, true));
  createInterface({ input: child.stderr }).on('line', (line) => take(line, false));
  child.stdin.on('error', () => {}); // a program that does not read its input ends first: its status tells
  child.stdin.end(options.input ?? '');

  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', (cause) => reject(new VmError('NO_TOOL', { where: file, what: cause.message }, { cause })));
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal === 'SIGINT' ? 2 : 15)));
  });
  if (!(options.allow ?? [0]).includes(status)) {
    const said = tail.length ? `:\n  ${tail.join('\n  ')}` : '';
    throw new VmError('TOOL_FAILED', { where: `${file} ${args.join(' ')}`, what: `status ${status}${said}` });
  }
  return { status, stdout: out.join('\n') };
}
