// SPDX-License-Identifier: MIT
/**
 * Something happens right before a system call of `driftpatch apply`, for one call after the other. Afterwards the target runs, every
 * thread is in old or new code, `status` tells the truth, and an apply does it.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { apply, type PatchState, RuntimeError, status } from '../runtime/index.js';

const DIST = new URL('../', import.meta.url).pathname;

/** What a walk needs of a running `workers`. */
export interface Subject {
  readonly pid: number;
  send(command: 'release' | 'wake'): void;
  report(): Promise<SubjectReport>;
  until(condition: (report: SubjectReport) => boolean): Promise<SubjectReport>;
  stop(): void;
}
export interface SubjectReport {
  readonly threads: readonly { readonly name: string; readonly calls: number; readonly answer: number }[];
  readonly whole: boolean;
}

export type Mode = 'wait-free' | 'stop';
export type Fault = 'die' | 'kill' | 'exec' | 'fork';

export interface Walk {
  readonly mode: Mode;
  readonly fault: Fault;
  /** A patch for `answer` of workers-1. */
  readonly file: string;
  readonly start: () => Promise<Subject>;
  /** How many of the calls, evenly spread; all without it. */
  readonly samples?: number;
}

export async function walk({ mode, fault, file, start, samples }: Walk): Promise<void> {
  const total = await countCalls(mode, file, start);
  assert.ok(total > 5, `expected system calls, found ${total}`);
  const steps = Math.min(samples ?? total, total);
  for (let i = 0; i < steps; i++) {
    const at = steps === 1 ? Math.ceil(total / 2) : 1 + Math.round((i * (total - 1)) / (steps - 1));
    await once({ mode, fault, file, start }, at, `${mode}: ${fault} before call ${at} of ${total}`);
  }
}

export async function countCalls(mode: Mode, file: string, start: () => Promise<Subject>): Promise<number> {
  const workers = await start();
  try {
    const { status, stderr } = applyWith(0, 'nothing', mode, file, workers.pid);
    assert.is(status, 0, stderr);
    return Number(stderr.trim().split('\n').at(-1));
  } finally {
    workers.stop();
  }
}

async function once({ mode, fault, file, start }: Walk, at: number, when: string): Promise<void> {
  const workers = await start();
  const { pid } = workers;
  try {
    const what = { die: 'die', kill: `SIGKILL:${pid}`, exec: `SIGUSR1:${pid}`, fork: `SIGUSR2:${pid}` }[fault];
    const ran = applyWith(at, what, mode, file, pid);
    const said = `${when}: ${ran.status ?? ran.signal} ${ran.stderr}`;
    if (fault === 'die') assert.ok(ran.signal === 'SIGKILL' || ran.status === 0, said);
    else assert.ok(ran.status === 0 || (ran.status === 4 && fault !== 'fork'), said);
    if (fault === 'kill') return await isGone(pid, said);
    await checkTruth(workers, said);
    await applyAnew(workers, mode, file, said);
    for (const child of fault === 'fork' ? childrenOf(pid) : []) await checkChild(child, said);
  } finally {
    workers.stop();
  }
}

/** `driftpatch apply`, to which something happens right before its `at`-th system call. */
export function applyWith(at: number, what: string, mode: Mode, file: string, pid: number, more: object = {}) {
  const words = ['apply', file, '--pid', String(pid), '--mode', mode, '--timeout', '20'];
  const ran = spawnSync(
    process.execPath,
    ['--import', `${DIST}tests/at-call.js`, `${DIST}runtime/driftpatch.js`, ...words],
    {
      encoding: 'utf8',
      timeout: 120_000,
      env: { ...process.env, AT_CALL: String(at), AT_CALL_DO: what, ...more },
    },
  );
  if (ran.error) throw ran.error;
  return ran;
}

export const answerOf = (version: number, name: string) => (version === 1 ? 1 : version * 100 + name.length);

/** Of all attempts that are to be seen in the process, the one that has come furthest. */
function stateOf(pid: number): PatchState | 'none' {
  const states = status({ pid }).processes[0]!.patches.map(({ state }) => state);
  return (['applied', 'pending', 'reverting', 'inactive'] as const).find((one) => states.includes(one)) ?? 'none';
}

/** Nobody traces the process, and no thread is stopped. */
export function isFree(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((tid) => {
    const text = readFileSync(`/proc/${pid}/task/${tid}/status`, 'utf8');
    return /^State:\s+[RSD]/m.test(text) && /^TracerPid:\s+0$/m.test(text);
  });
}

/** The process is whole and runs, and what `status` says is what its threads do. */
export async function checkTruth(workers: Subject, when: string): Promise<void> {
  const before = await workers.report();
  const calls = (threads: typeof before.threads) => threads.find(({ name }) => name === 'spinner')!.calls;
  const { threads, whole } = await workers.until(
    (now) => calls(now.threads) !== calls(before.threads) && isFree(workers.pid),
  );
  assert.ok(whole, when);
  const state = stateOf(workers.pid);
  const expected: readonly number[] = { applied: [2], pending: [1, 2], reverting: [1, 2], inactive: [1], none: [1] }[
    state
  ];
  for (const { name, answer } of threads.filter(({ name }) => /spinner|sleeper/.test(name)))
    assert.ok(
      expected.some((version) => answer === answerOf(version, name)),
      `${when}: state ${state}, but ${name} gives ${answer}`,
    );
}

export async function applyAnew(workers: Subject, mode: Mode, file: string, when: string): Promise<void> {
  const { state } = await apply(readFileSync(file), { pid: workers.pid, mode, timeout: 20 });
  assert.is(state, 'applied', when);
  workers.send('wake');
  workers.send('release');
  const report = await workers.until(({ threads }) =>
    threads.every(({ name, answer }) => answer === answerOf(2, name)),
  );
  assert.ok(report.whole && isFree(workers.pid), when);
  assert.is(stateOf(workers.pid), 'applied', when);
}

async function isGone(pid: number, when: string): Promise<void> {
  try {
    status({ pid });
  } catch (error) {
    assert.instance(error, RuntimeError, when);
    return;
  }
  assert.unreachable(`${when}: the process is still there`);
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

/** It ends by itself, with 0: a zombie then, for its parent does not look. */
async function checkChild(pid: number, when: string): Promise<void> {
  for (let left = 1000; left > 0; left--) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return assert.is(fields.at(-1)!.trim(), '0', `${when}: the child's exit status`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.unreachable(`${when}: the child does not come to its end`);
}
