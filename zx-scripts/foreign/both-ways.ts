// SPDX-License-Identifier: MIT
// A suite in two guests of the same kernel, one with a view for every process and one without. What differs is run once
// more both ways, in fresh guests, before it is called a difference.

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

export async function runBothWays(tests: readonly ForeignTest[], options: BothWaysOptions): Promise<Compared> {
  const off = await runOnce(tests, false, options);
  const on = await runOnce(tests, true, options);
  const first = compare(off.results, on.results);
  const odd = tests.filter(({ name }) => first.some((row) => row.name === name && row.verdict !== 'same'));
  const runs = [off, on];
  let rows = first;
  if (odd.length > 0) {
    options.onText(`\nonce more, because it differed: ${odd.map(({ name }) => name).join(', ')}\n`);
    const again = { off: await runOnce(odd, false, options), on: await runOnce(odd, true, options) };
    runs.push(again.off, again.on);
    rows = compare(off.results, on.results, { off: again.off.results, on: again.on.results });
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
  readonly guest: GuestResult['accelerator'] | null;
}

async function runOnce(tests: readonly ForeignTest[], every: boolean, options: BothWaysOptions): Promise<Run> {
  const which = every ? 'with a view for every process' : 'without views';
  const share = await mkdtemp(join(tmpdir(), 'driftpatch-foreign-'));
  options.onText(`\n${which}:\n`);
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
