// SPDX-License-Identifier: MIT
/** For guest suites: the program that is patched, and the commands that a person would type, as functions. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../../', import.meta.url));
export const CLI = `${DIST}runtime/driftpatch.js`;
export const LIBRARY = `${DIST}runtime/index.js`;

/** The path of a program that tests/guest/fixtures/Makefile builds. */
export function fixture(name: string): string {
  const file = `${DIST}tests/fixtures/${name}`;
  if (!existsSync(file)) throw new Error(`${file} is missing: make -C tests/guest/fixtures OUT=dist/tests/fixtures`);
  return file;
}

export interface Worker {
  readonly name: string;
  readonly calls: number;
  readonly answer: number;
  readonly held: number;
  readonly longestMs: number;
}

export interface Report {
  readonly threads: readonly Worker[];
  /** No increment has been lost. */
  readonly whole: boolean;
}

export type Version = 1 | 2 | 3 | 4 | 5 | 6;

/** A running `workers` process. */
export class Workers {
  readonly pid: number;
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.pid = child.pid!;
    this.lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  /** `within`: what begins it, where it does not begin by itself. */
  static async start(version: Version, within: readonly string[] = []): Promise<Workers> {
    const [command, ...args] = [...within, fixture(`workers-${version}`)];
    const workers = new Workers(spawn(command!, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
    await workers.nextReport();
    return workers;
  }

  send(command: 'spawn' | 'release' | 'wake'): void {
    this.child.stdin!.write(`${command}\n`);
  }

  async report(): Promise<Report> {
    this.child.stdin!.write('report\n');
    return await this.nextReport();
  }

  /** Reports until one satisfies `condition`; throws with the last one after `seconds`. */
  async until(condition: (report: Report) => boolean, seconds = 20): Promise<Report> {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      const report = await this.report();
      if (condition(report)) return report;
      if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${JSON.stringify(report)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Lines of /proc/PID/maps that belong to an arena: its code, which has no name, and its data. */
  arenas(): string[] {
    const maps = readFileSync(`/proc/${this.pid}/maps`, 'utf8').split('\n');
    return maps.filter((line) => / r-xp 00000000 00:00 0 *$|\[anon:driftpatch\]$/.test(line));
  }

  /** Its memory, as its main thread sees it. */
  read(address: number, length: number): Buffer {
    const memory = openSync(`/proc/${this.pid}/mem`, 'r');
    try {
      const bytes = Buffer.alloc(length);
      for (let done = 0; done < length; ) done += readSync(memory, bytes, done, length - done, address + done);
      return bytes;
    } finally {
      closeSync(memory);
    }
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }

  async ended(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.stop();
    await ended;
  }

  private async nextReport(): Promise<Report> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`the process has ended (${this.child.exitCode ?? this.child.signalCode})`);
    return JSON.parse(value);
  }
}

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const planner = (...args: string[]): Ran => run('planner/planner.js', args);
export const driftpatch = (...args: string[]): Ran => run('runtime/driftpatch.js', args);

function run(cli: string, args: string[]): Ran {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [`${DIST}${cli}`, ...args], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  if (error) throw error;
  return { status, stdout, stderr };
}
