// SPDX-License-Identifier: MIT
// A suite in a guest, each test without views and then with a view for every process. What differs is run again, in a fresh
// guest, before it is called a difference. If a test takes the guest with it, that is what became of it, and the rest goes
// on in another guest.

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findComplaints, type GuestResult, LostVmError, runInGuest } from '../../vm/index.js';
import { projectFolder } from '../setup.js';
import { compare, type Row } from './compare.js';
import { markOf, markPattern } from './run-tests.js';
import type { Attempt, ForeignTest, Tried } from './suite.js';

export interface BothWaysOptions {
  readonly kernel: string;
  /** What `prepare()` of the suite gave. */
  readonly programs: string | null;
  readonly signal: AbortSignal;
  /** More words for the kernel's command line. */
  readonly append?: string;
  readonly onText: (text: string) => void;
}

export interface Compared {
  readonly rows: readonly Row[];
  /** Of the guests' kernels; views that leaked, guests that were lost, tests that do not work here. Empty is what is wanted. */
  readonly complaints: readonly string[];
  readonly guest: GuestResult['accelerator'] | null;
}

/** How often what differs is run again: what comes seldom must get its chance to come without views. */
const rounds = 3;

export async function runBothWays(tests: readonly ForeignTest[], options: BothWaysOptions): Promise<Compared> {
  const first = await runRound(tests, options);
  const runs = [first];
  const compareAll = () =>
    compare(of(first, false), of(first, true), {
      off: runs.slice(1).flatMap((run) => of(run, false)),
      on: runs.slice(1).flatMap((run) => of(run, true)),
    });
  let rows = compareAll();
  for (let round = 1; round <= rounds; round++) {
    const odd = tests.filter(({ name }) => rows.some((row) => row.name === name && row.verdict === 'differs'));
    if (odd.length === 0) break;
    options.onText(`\nonce more, because it differed: ${odd.map(({ name }) => name).join(', ')}\n`);
    runs.push(await runRound(odd, options));
    rows = compareAll();
  }
  const idle = tests.flatMap(({ name, expect }) => {
    const found = of(first, false).find((result) => result.name === name);
    return expect === undefined || found?.outcome === expect
      ? []
      : [`${name}: expected ${expect} without views, found ${found?.outcome ?? 'no result'}: ${found?.tail ?? ''}`];
  });
  const complaints = [...runs.flatMap((run) => run.complaints), ...idle];
  return { rows, complaints, guest: runs.find(({ guest }) => guest)?.guest ?? null };
}

interface Run {
  readonly results: readonly Tried[];
  readonly complaints: readonly string[];
  /** Null: the guest was lost. */
  readonly guest: GuestResult['accelerator'] | null;
}

const of = ({ results }: Run, every: boolean) => results.filter((result) => result.every === every);

/** Where each test is fatal, a few guests show it. */
const mostLost = 5;

async function runRound(tests: readonly ForeignTest[], options: BothWaysOptions): Promise<Run> {
  const attempts = tests.flatMap((test) => [false, true].map((every) => ({ ...test, every })));
  const results: Tried[] = [];
  const complaints: string[] = [];
  for (let guests = 1; ; guests++) {
    const run = await inOneGuest(attempts.slice(results.length), options);
    results.push(...run.results);
    complaints.push(...run.complaints);
    const victim = attempts[results.length];
    if (run.guest || !victim) return { results, complaints, guest: run.guest };
    results.push({ name: victim.name, every: victim.every, outcome: 'the guest was lost', seconds: 0, tail: '' });
    complaints.push(`the guest was lost in ${markOf(victim)}`);
    if (guests === mostLost || results.length === attempts.length) return { results, complaints, guest: null };
  }
}

async function inOneGuest(attempts: readonly Attempt[], options: BothWaysOptions): Promise<Run> {
  const share = await mkdtemp(join(tmpdir(), 'driftpatch-foreign-'));
  const results = async () => JSON.parse(await readFile(join(share, 'results.json'), 'utf8').catch(() => '[]'));
  try {
    if (options.programs) await cp(options.programs, join(share, 'programs'), { recursive: true });
    await writeFile(join(share, 'plan.json'), JSON.stringify(attempts));
    const script = [
      'mkdir /tmp/foreign && cd /tmp/foreign',
      ...(options.programs ? ['cp -r /mnt/share/programs/. .'] : []),
      'exec node /project/dist/zx-scripts/foreign/run-tests.js /mnt/share/plan.json /mnt/share/results.json .',
    ];
    const result = await runInGuest(['bash', '-c', script.join('\n')], {
      kernel: options.kernel,
      root: { kind: 'host' },
      project: projectFolder,
      share,
      memory: '3G',
      timeoutSeconds: 600 + attempts.reduce((sum, { seconds }) => sum + seconds, 0),
      signal: options.signal,
      onStdout: (bytes) => options.onText(bytes.toString()),
      ...(options.append !== undefined && { append: options.append }),
    });
    const complaints = [
      ...(result.status === 0 ? [] : [`the guest's script ended with status ${result.status}: ${result.stderr}`]),
      ...(result.leakedViews ? [`${result.leakedViews} views are left at the end`] : []),
      ...complaintsByTest(result),
    ];
    return { results: await results(), complaints, guest: result.accelerator };
  } catch (error) {
    if (!(error instanceof LostVmError)) throw error;
    return { results: await results(), complaints: [error.message], guest: null };
  } finally {
    await rm(share, { recursive: true, force: true });
  }
}

/** Each with the test that ran then. */
export function complaintsByTest({ console, complaints }: Pick<GuestResult, 'console' | 'complaints'>): string[] {
  const [boot, ...parts] = console.split(markPattern);
  const named = [...findComplaints(boot!).map((line) => `boot: ${line}`)];
  for (let i = 0; i < parts.length; i += 2)
    named.push(...findComplaints(parts[i + 1]!).map((line) => `${parts[i]}: ${line}`));
  return named.length > 0 ? named : [...complaints];
}
