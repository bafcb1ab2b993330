// SPDX-License-Identifier: MIT
/**
 * Programs of the machine: cp, mv, patch, and the build command. Each runs in a process group of its own, so that nothing it
 * has started outlives a cancelled build; its output goes line by line to whoever listens, and nowhere else.
 */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { $ } from 'zx';
import { BuildError } from './error.js';

export interface ToolOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface ToolResult {
  readonly status: number;
  readonly lines: readonly string[];
}

const MOST_LINES = 400;
const NOT_FOUND = 127;
const GRACE_MS = 2000;

/** Runs to the end and gives the status; throws BuildError if there is no such program, and the signal's reason if cancelled. */
export async function runTool(words: readonly string[], options: ToolOptions = {}): Promise<ToolResult> {
  const { cwd, env, onLine, signal } = options;
  signal?.throwIfAborted();
  const process_ = $({
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    detached: true,
    nothrow: true,
    quiet: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })`${words}`;
  const lines: string[] = [];
  const take = (line: string) => {
    lines.push(line);
    if (lines.length > MOST_LINES) lines.shift();
    onLine?.(line);
  };
  const read = (stream: Readable) =>
    new Promise<void>((done) => createInterface({ input: stream }).on('line', take).on('close', done));
  const cancel = () => endGroup(process_.pid);
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const [{ exitCode }] = await Promise.all([process_, read(process_.stdout), read(process_.stderr)]);
    signal?.throwIfAborted();
    const status = exitCode ?? 128;
    if (status === NOT_FOUND && lines.some((line) => /not found/.test(line)))
      throw new BuildError('TOOL_MISSING', words[0]!, 'expected it in PATH; install it', { tail: lines.slice(-3) });
    return { status, lines };
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

/** Like runTool, for programs that must not fail. */
export async function mustRun(words: readonly string[], options: ToolOptions = {}): Promise<void> {
  const { status, lines } = await runTool(words, { ...options, env: { ...options.env, LC_ALL: 'C' } });
  if (status !== 0)
    throw new BuildError('TOOL_FAILED', words.join(' '), `status ${status}: ${lines.slice(-1).join()}`, {
      tail: lines,
    });
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  const send = (name: 'SIGTERM' | 'SIGKILL') => {
    try {
      process.kill(-pid, name);
    } catch {
      // nobody of the group is left
    }
  };
  send('SIGTERM');
  setTimeout(() => send('SIGKILL'), GRACE_MS).unref();
}
