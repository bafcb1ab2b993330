// SPDX-License-Identifier: MIT
// A suite in two guests of the same kernel, one with a view for every process and one without. What differs is run
// again both ways, in fresh guests, before it is called a difference. If a test takes its guest with it, that is what became of
// it, and the rest goes on in another guest.

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GuestResult, LostVmError, runInGuest } from '../../vm/index.js';
import { projectFolder } from '../setup.js';
import { compare, type Row } from './compare.js';
import type { ForeignResult, ForeignTest } from './suite.js';

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
  const off = await runOnce(tests, false, options);
  const on = await runOnce(tests, true, options);
  const runs = [off, on];
  const again: { off: ForeignResult[]; on: ForeignResult[] } = { off: [], on: [] };
  let rows = compare(off.results, on.results);
  for (let round = 1; round <= rounds; round++) {
    const odd = tests.filter(({ name }) => rows.some((row) => row.name === name && row.verdict === 'differs'));
    if (odd.length === 0) break;
    options.onText(`\nonce more, because it differed: ${odd.map(({ name }) => name).join(', ')}\n`);
    const more = { off: await runOnce(odd, false, options), on: await runOnce(odd, true, options) };
    runs.push(more.off, more.on);
    again.off.push(...more.off.results);
    again.on.push(...more.on.results);
    rows = compare(off.results, on.results, again);
  }
  const idle = tests.flatMap(({ name, expect }) => {
    const found = off.results.find((result) => result.name === name);
    return expect === undefined || found?.outcome === expect
      ? []
      : [`${name}: expected ${expect} without views, found ${found?.outcome ?? 'no result'}: ${found?.tail ?? ''}`];
  });
  const complaints = [...runs.flatMap((run) => run.complaints), ...idle];
  return { rows, complaints, guest: runs.find(({ guest }) => guest)?.guest ?? null };
}

interface Run {
  readonly results: readonly ForeignResult[];
  readonly complaints: readonly string[];
  /** Null: the guest was lost. */
  readonly guest: GuestResult['accelerator'] | null;
}

/** Where each test is fatal, a few guests show it. */
const mostLost = 5;

async function runOnce(tests: readonly ForeignTest[], every: boolean, options: BothWaysOptions): Promise<Run> {
  options.onText(`\n${every ? 'with a view for every process' : 'without views'}:\n`);
  const results: ForeignResult[] = [];
  const complaints: string[] = [];
  for (let guests = 1; ; guests++) {
    const run = await inOneGuest(tests.slice(results.length), every, options);
    results.push(...run.results);
    complaints.push(...run.complaints);
    const victim = tests[results.length];
    if (run.guest || !victim) return { results, complaints, guest: run.guest };
    results.push({ name: victim.name, outcome: 'the guest was lost', seconds: 0, tail: '' });
    if (guests === mostLost || results.length === tests.length) return { results, complaints, guest: null };
  }
}

async function inOneGuest(tests: readonly ForeignTest[], every: boolean, options: BothWaysOptions): Promise<Run> {
  const which = every ? 'with a view for every process' : 'without views';
  const share = await mkdtemp(join(tmpdir(), 'driftpatch-foreign-'));
  try {
    if (options.programs) await cp(options.programs, join(share, 'programs'), { recursive: true });
    await writeFile(join(share, 'plan.json'), JSON.stringify(tests));
    const script = [
      'mkdir /tmp/foreign && cd /tmp/foreign',
      ...(options.programs ? ['cp -r /mnt/share/programs/. .'] : []),
      `exec node /project/dist/zx-scripts/foreign/run-tests.js /mnt/share/plan.json /mnt/share/results.json ${every ? 'on' : 'off'} .`,
    ];
    const result = await runInGuest(['bash', '-c', script.join('\n')], {
      kernel: options.kernel,
      root: { kind: 'host' },
      project: projectFolder,
      share,
      memory: '3G',
      timeoutSeconds: 120 + tests.reduce((sum, { seconds }) => sum + seconds, 0),
      signal: options.signal,
      onStdout: (bytes) => options.onText(bytes.toString()),
      ...(options.append !== undefined && { append: options.append }),
    });
    const text = await readFile(join(share, 'results.json'), 'utf8').catch(() => '[]');
    const complaints = [
      ...(result.status === 0 ? [] : [`the guest's script ended with status ${result.status}: ${result.stderr}`]),
      ...(result.leakedViews ? [`${result.leakedViews} views are left at the end`] : []),
      ...result.complaints,
    ];
    return {
      results: JSON.parse(text),
      complaints: complaints.map((line) => `${which}: ${line}`),
      guest: result.accelerator,
    };
  } catch (error) {
    if (!(error instanceof LostVmError)) throw error;
    const text = await readFile(join(share, 'results.json'), 'utf8').catch(() => '[]');
    return { results: JSON.parse(text), complaints: [`${which}: ${error.message}`], guest: null };
  } finally {
    await rm(share, { recursive: true, force: true });
  }
}
