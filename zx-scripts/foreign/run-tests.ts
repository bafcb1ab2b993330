// SPDX-License-Identifier: MIT
// In the guest: run tests one after the other, each with a view for every process or without, and say what became of it.
//
// Invariant: `every` is what was asked for while a test runs (a program that was just started says so), and off afterwards.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Attempt, ForeignResult, ForeignTest, Tried } from './suite.js';

export const everySwitch = '/sys/kernel/debug/mmview/every';

/** Does this kernel have the switch? (The debug kernel does.) */
export const canView = (): boolean => existsSync(everySwitch);

export async function runAttempts(
  attempts: readonly Attempt[],
  folder: string,
  onResult: (result: Tried) => void = () => {},
): Promise<Tried[]> {
  try {
    const results: Tried[] = [];
    for (const attempt of attempts) {
      setEvery(attempt.every);
      mark(attempt);
      results.push({ ...(await runTest(attempt, folder)), every: attempt.every });
      onResult(results.at(-1)!);
    }
    return results;
  } finally {
    setEvery(false);
  }
}

export const wayOf = (every: boolean): string => (every ? 'with a view for every process' : 'without views');

/** In the kernel's log, so that a complaint there has an author. */
export const markOf = ({ name, every }: { name: string; every: boolean }): string => `${name}, ${wayOf(every)}`;
export const markPattern = /^\[\s*\d+\.\d+\] driftpatch: (.*)$/m;

function mark(attempt: Attempt): void {
  writeFileSync('/dev/kmsg', `driftpatch: ${markOf(attempt)}\n`);
}

function setEvery(every: boolean): void {
  if (every || canView()) writeFileSync(everySwitch, every ? '1' : '0');
  const { stdout } = spawnSync('cat', ['/proc/thread-self/mmview'], { encoding: 'utf8' });
  const inView = /^[1-9]/.test(stdout);
  if (inView !== every)
    throw new Error(`expected a new process ${every ? 'in a view' : 'in its base'}, found it in view ${stdout.trim()}`);
}

async function runTest({ name, command, seconds }: ForeignTest, folder: string): Promise<ForeignResult> {
  const began = Date.now();
  const child = spawn('sh', ['-c', command], { cwd: folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
  const killGroup = () => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // Nobody of the group is left.
    }
  };
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup();
  }, seconds * 1000);
  const end = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status, signal) => resolve(signal ? `signal ${signal}` : `status ${status}`));
  });
  clearTimeout(timer);
  killGroup();
  return {
    name,
    outcome: late ? 'late' : [end, ...verdicts(output)].join(', '),
    seconds: Math.round((Date.now() - began) / 1000),
    tail: output.slice(-1500),
  };
}

/** The verdicts of a test that speaks TAP: how many there were of each, and which cases failed. */
export function verdicts(output: string): string[] {
  const lines = output.match(/^\s*(not ok|ok) .*$/gm) ?? [];
  const failed = lines.filter((line) => /^\s*not ok/.test(line)).map((line) => line.replace(/^\s*not ok \d+\s*/, ''));
  const skipped = lines.filter((line) => /# *SKIP/i.test(line)).length;
  const passed = lines.length - failed.length - skipped;
  return [
    ...(passed ? [`${passed} ok`] : []),
    ...(skipped ? [`${skipped} skipped`] : []),
    ...(failed.length ? [`not ok: ${failed.join('; ')}`] : []),
  ];
}

/** `node run-tests.js PLAN RESULTS FOLDER`: how the host has it done. */
if (process.argv[1]?.endsWith('/foreign/run-tests.js')) {
  const [plan, results, folder] = process.argv.slice(2);
  const attempts: Attempt[] = JSON.parse(readFileSync(plan!, 'utf8'));
  const done: Tried[] = [];
  await runAttempts(attempts, folder!, (result) => {
    process.stdout.write(`${markOf(result)}: ${result.outcome} (${result.seconds} s)\n`);
    done.push(result);
    writeFileSync(results!, JSON.stringify(done)); // now: the next test may take the guest with it
  });
}
