// SPDX-License-Identifier: MIT
// The program of threads.c as a process: a line to it, a line from it.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { SyntheticCase } from './case.js';

export interface PhaseSum {
  /** Nanoseconds: the longest time without a round, of any thread; and the median over the threads. */
  readonly longest: number;
  readonly typical: number;
  readonly rounds: number;
  /** The least rounds of a thread that runs all the time; Infinity without one. */
  readonly fewest: number;
  /** Nanoseconds of processor time for a round of a thread that runs all the time; NaN without one. */
  readonly operation: number;
}

export interface Account {
  readonly phases: readonly PhaseSum[];
  /** Nanoseconds of the monotonic clock: when each thread that runs the changed code first ran it, the earliest first. */
  readonly changed: readonly number[];
}

interface ThreadReport {
  readonly kind: string;
  readonly changed: number;
  readonly phases: readonly (readonly [rounds: number, longest: number, cpu: number])[];
}

const runningKinds = ['spin', 'compute', 'recurse', 'nest'];

export class ThreadsProgram {
  readonly pid: number;
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.pid = child.pid!;
    this.lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  static async start(
    program: string,
    {
      threads,
      kinds,
      hold,
      memory,
      mappings,
    }: Pick<SyntheticCase, 'threads' | 'kinds' | 'hold' | 'memory' | 'mappings'>,
  ): Promise<ThreadsProgram> {
    const words = [String(threads), kinds, `hold=${hold}`, `memory=${memory}`, `mappings=${mappings}`];
    const started = new ThreadsProgram(spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] }));
    await started.line();
    return started;
  }

  /** From now on rounds count for this phase, from 0. */
  async phase(number: number): Promise<void> {
    await this.ask(`phase ${number}`);
  }

  /** Microseconds until the last thread had come, and until the last one went on. */
  async barrier(): Promise<{ come: number; gone: number }> {
    const [come, gone] = (await this.ask('barrier')).split(' ').map(Number);
    return { come: come!, gone: gone! };
  }

  async account(): Promise<Account> {
    const { threads } = JSON.parse(await this.ask('report')) as { threads: ThreadReport[] };
    const running = threads.filter(({ kind }) => runningKinds.includes(kind));
    const phases = threads[0]!.phases.map((_, phase) => {
      const longest = threads.map(({ phases }) => phases[phase]![1]).sort((a, b) => a - b);
      // A thread that has not looked since the phase's end has not said what it took.
      const told = running.filter(({ phases }) => phases[phase]![2] > 0);
      const sum = (of: readonly ThreadReport[], which: 0 | 2) =>
        of.reduce((total, { phases }) => total + phases[phase]![which], 0);
      return {
        longest: longest.at(-1)!,
        typical: longest[longest.length >> 1]!,
        rounds: sum(threads, 0),
        fewest: Math.min(...running.map(({ phases }) => phases[phase]![0])),
        operation: sum(told, 2) / sum(told, 0),
      };
    });
    const changed = threads.flatMap(({ changed }) => (changed > 0 ? [changed] : [])).sort((a, b) => a - b);
    return { phases, changed };
  }

  /** KiB that are its alone, with its page tables. */
  memory(): number {
    const kib = (file: string, name: RegExp) =>
      [...readFileSync(`/proc/${this.pid}/${file}`, 'utf8').matchAll(name)].reduce(
        (sum, [, value]) => sum + Number(value),
        0,
      );
    return kib('smaps_rollup', /^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm) + kib('status', /^VmPTE:\s+(\d+) kB$/gm);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await ended;
  }

  private async ask(line: string): Promise<string> {
    this.child.stdin!.write(`${line}\n`);
    return await this.line();
  }

  private async line(): Promise<string> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`the program has ended (${this.child.exitCode ?? this.child.signalCode})`);
    return value;
  }
}
