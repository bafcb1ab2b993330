// SPDX-License-Identifier: MIT
/** Small C programs, compiled and run for one test file, and taken away with it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { RuntimeError } from '../../runtime/errors.js';
import { Process } from '../../runtime/proc/process.js';

export class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'driftpatch-test-'));
  private readonly children: ChildProcess[] = [];

  compile(name: string, source: string, ...flags: string[]): string {
    const file = join(this.folder, name);
    writeFileSync(`${file}.c`, source);
    execFileSync('gcc', ['-O1', '-g', '-Wl,--build-id=sha1', ...flags, '-o', file, `${file}.c`]);
    return file;
  }

  /** Runs `file`, and gives it back with its first line of output. */
  async run(file: string, ...args: string[]): Promise<{ pid: number; line: string; child: ChildProcess }> {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.children.push(child);
    const line = await new Promise<string>((resolve, reject) => {
      let text = '';
      child.on('exit', (status) => reject(new Error(`${file} ended with ${status}`)));
      child.stdout!.on('data', (chunk) => {
        text += chunk;
        if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
      });
    });
    return { pid: child.pid!, line, child };
  }

  clear(): void {
    for (const child of this.children) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true });
  }
}

/** The source of a program that guest suites use as well. */
export const fixtureSource = (name: string): string =>
  readFileSync(new URL(`../../../tests/guest/fixtures/${name}`, import.meta.url), 'utf8');

/** The build id of an ELF file, as binutils reads it. */
export function buildIdOf(file: string): string {
  const match = /Build ID: ([0-9a-f]+)/.exec(execFileSync('readelf', ['-n', file], { encoding: 'utf8' }));
  if (!match) throw new Error(`${file} has no build id`);
  return match[1]!;
}

/** The link-time address of a symbol, as binutils reads it. */
export function symbolOf(file: string, name: string): number {
  const line = execFileSync('nm', [file], { encoding: 'utf8' })
    .split('\n')
    .find((entry) => entry.endsWith(` ${name}`));
  if (!line) throw new Error(`${file} has no symbol ${name}`);
  return Number.parseInt(line, 16);
}

/** What `action` gives of an opened process. */
export async function looking<T>(pid: number, action: (process: Process) => T | Promise<T>): Promise<T> {
  const process = Process.open(pid);
  try {
    return await action(process);
  } finally {
    process.close();
  }
}

/** The runtime's error with `code` that `action` must throw. */
export async function refused(code: string, action: () => unknown): Promise<RuntimeError> {
  try {
    await action();
  } catch (error) {
    assert.instance(error, RuntimeError);
    assert.is((error as RuntimeError).code, code, (error as Error).message);
    return error as RuntimeError;
  }
  return assert.unreachable(`expected ${code}`) as never;
}
