// SPDX-License-Identifier: MIT
// The guest suites of one kernel, in one boot. What they need is compiled on the host (the kernel's selftests, the programs
// that get patched); they run in the guest, and leave their results in the share. A guest that is lost, or whose kernel
// complains, is a failure of its own, whatever the suites said.

import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { exec, type GuestRoot, LostVmError, runInGuest } from '../vm/index.js';
import { planFix, prepareFix } from './demo/prepare.js';
import { prepareEvaluations } from './evaluate/in-tests.js';
import { prepareForeign } from './foreign/in-tests.js';
import { projectFolder } from './setup.js';
import type { ShownProgress } from './show-progress.js';
import type { Environment, SuiteResult } from './suites.js';

/** Compiled on the host for the guest: a Makefile's folder, and where under dist/tests/ its programs go. */
const programs = [
  { makefile: 'kernel-tree/tools/testing/selftests/mmview', out: 'kselftests' },
  { makefile: 'tests/guest/fixtures', out: 'fixtures' },
];

/**
 * A suite that says `// prepare: memcached` gets both builds, and the patch from one to the other; one that says
 * `// prepare: foreign` gets programs that nobody here wrote; `// prepare: evaluations` a redis, and a patch of a fix.
 */
export async function buildGuestPrograms(suites: readonly string[], shown: ShownProgress): Promise<void> {
  for (const { makefile, out } of programs)
    await exec('make', ['-C', join(projectFolder, makefile), `OUT=${join(projectFolder, 'dist/tests', out)}`]);
  const asksFor = (what: string) =>
    suites.some((file) => new RegExp(`^// prepare: ${what}$`, 'm').test(readFileSync(file, 'utf8')));
  if (asksFor('foreign')) await prepareForeign(projectFolder, shown);
  if (asksFor('evaluations')) await prepareEvaluations(projectFolder, shown);
  shown.end();
  if (!asksFor('memcached')) return;
  await prepareFix(projectFolder, { progress: shown.onStep, say: shown.say });
  shown.end();
  const { status, command, output } = planFix(projectFolder);
  if (status !== 0) throw new Error(`expected a patch, found status ${status} of: ${command}\n${output}`);
}

/**
 * More words for a kernel's command line. Page tables are isolated in one guest and not in the other; where pages move between memory
 * nodes there have to be two.
 */
const commandLines: Readonly<Record<string, string>> = { plain: 'pti=off', debug: 'pti=on numa=fake=2' };

export interface GuestRun {
  readonly flavour: string;
  readonly kernel: string;
  readonly root: GuestRoot;
  readonly suites: readonly string[];
  readonly env: Environment;
  /** How many times as long as usual it may take. */
  readonly patience: number;
  readonly signal: AbortSignal;
  readonly onText: (text: Buffer) => void;
}

export async function runGuestSuites(run: GuestRun): Promise<SuiteResult[]> {
  const share = await mkdtemp(join(tmpdir(), 'driftpatch-results-'));
  const inGuest = (path: string) => join('/project', relative(projectFolder, path));
  const command = [
    'node',
    '/project/dist/zx-scripts/suites.js',
    '--results',
    '/mnt/share/results.json',
    '--patience',
    String(run.patience),
  ];
  const began = Date.now();
  const guestResult = (problem: string | null): SuiteResult => ({
    file: `guest (${run.flavour} kernel)`,
    passed: problem ? 0 : 1,
    failed: problem ? 1 : 0,
    skipped: 0,
    seconds: (Date.now() - began) / 1000,
    problem,
    output: '',
  });
  try {
    const result = await runInGuest([...command, ...run.suites.map(inGuest)], {
      kernel: run.kernel,
      root: run.root,
      project: projectFolder,
      share,
      memory: '3G',
      timeoutSeconds: 3600 * run.patience,
      env: { ...run.env, DRIFTPATCH_KERNEL: run.flavour },
      append: commandLines[run.flavour] ?? '',
      signal: run.signal,
      onStdout: run.onText,
      onStderr: run.onText,
    });
    const text = await readFile(join(share, 'results.json'), 'utf8').catch(() => '[]');
    const results: SuiteResult[] = JSON.parse(text);
    const complaints = [
      ...(result.status === 0 ? [] : [`the suites' runner ended with status ${result.status}`]),
      ...(results.length === run.suites.length ? [] : [`${run.suites.length} suites, but ${results.length} results`]),
      ...(result.leakedViews ? [`${result.leakedViews} views are left at the end`] : []),
      ...result.complaints,
    ];
    return [...results, guestResult(complaints.length ? complaints.join('\n  ') : null)];
  } catch (error) {
    if (error instanceof LostVmError) return [guestResult(error.message)];
    throw error;
  } finally {
    await rm(share, { recursive: true, force: true });
  }
}
