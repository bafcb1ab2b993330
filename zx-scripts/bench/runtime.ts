// SPDX-License-Identifier: MIT
// The runtime, in the guest: what applying a patch takes, pass by pass, with more threads, libraries and functions; against a restart of the
// same process, and against stopping it (--mode stop). And what the command takes before it does anything.

import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exec, runInGuest } from '../../vm/index.js';
import { ensureKernel, ensureQemu, ensureRoot, projectFolder } from '../setup.js';
import { ensurePackages, forThreads } from '../system-packages.js';
import type { Bench, BenchContext, Measured } from './bench.js';
import { parseResultLines } from './result-lines.js';
import type { RuntimePlan, Subject } from './runtime/case.js';

const notes = [
  'apply: all of a wait-free apply as the library does it, in a process of ours that has done one before',
  'identify: the object found; resolve: symbols, entries, the clone; link: arena mapped, code linked and written;',
  '       write: detours and guards; migrate: from the request to all threads until the last one has; fold',
  'restart: from the start of the program until it is ready; it has nothing to load and no connection to lose',
  'stop: the same apply with --mode stop; standing: how long all threads were stopped in it, against migrate, when none is',
  'command: a whole command, Node included, against `node -e 0`; apply: a fresh process with one thread',
  'threads sleep most of the time; libraries: small shared objects, opened before; functions: so many are replaced',
];

const usual = { threads: 16, modules: 10, functions: 1 };
const subjects: readonly Subject[] = [
  { ...usual, name: '1-thread', threads: 1 },
  { ...usual, name: '16-threads' },
  { ...usual, name: '128-threads', threads: 128 },
  { ...usual, name: '200-libraries', modules: 200 },
  { ...usual, name: '30-functions', functions: 30 },
  { ...usual, name: '900-functions', functions: 900 },
];

export const runtime: Bench = {
  about: 'applying a patch, pass by pass, against a restart and against stopping all threads',
  async run(context: BenchContext): Promise<Measured> {
    const { quick, shown, signal } = context;
    await ensureQemu(shown);
    await ensurePackages(forThreads, shown.say);
    const kernel = context.bzImage ?? (await ensureKernel('plain', shown)).bzImage;
    const root = await ensureRoot('image', shown);
    shown.onStep({ name: 'making programs, patches and libraries' });
    const folder = await prepare();
    const plan: RuntimePlan = { folder, subjects: quick ? subjects.slice(0, 2) : subjects, runs: quick ? 1 : 7 };
    const share = await mkdtemp(join(tmpdir(), 'driftpatch-bench-'));
    try {
      await writeFile(join(share, 'plan.json'), JSON.stringify(plan));
      const step = { name: 'apply patches in the guest', total: plan.runs, unit: 'runs' };
      shown.onStep({ ...step, done: 0 });
      let output = '';
      const result = await runInGuest(
        ['node', '/project/dist/zx-scripts/bench/runtime/guest.js', '/mnt/share/plan.json'],
        {
          ...{ kernel, root, share, signal, project: projectFolder, memory: '3G', timeoutSeconds: 3000 },
          onStdout: (bytes) => {
            output += bytes.toString();
            shown.onStep({ ...step, done: output.split('\n').filter((line) => line.startsWith('run ')).length });
          },
        },
      );
      if (result.status !== 0 || !result.healthy)
        throw new Error(
          `expected status 0 on a healthy kernel, found status ${result.status}; ` +
            [...result.complaints, result.stderr.toString().trim()].join('\n'),
        );
      return { series: parseResultLines(output), notes, guest: result.accelerator };
    } finally {
      await rm(share, { recursive: true, force: true });
    }
  },
};

/** Makes what the guest needs; gives the folder as the guest sees it. */
async function prepare(): Promise<string> {
  const folder = join(projectFolder, 'dist/bench/runtime');
  await mkdir(folder, { recursive: true });
  const source = join(projectFolder, 'zx-scripts/bench/runtime/target.c');
  for (const functions of new Set(subjects.map((one) => one.functions))) {
    const file = (end: string) => join(folder, `target-${functions}${end}`);
    for (const [end, words] of Object.entries({ '-old': [], '-new': ['-DNEW'] })) {
      const flags = ['-O2', '-g', '-pthread', '-Wl,--build-id=sha1', `-DFUNCTIONS=${functions}`];
      await exec('gcc', [...flags, ...words, '-o', file(end), source]);
    }
    const cli = join(projectFolder, 'dist/planner/planner.js');
    await exec(process.execPath, [cli, 'diff', file('-old'), file('-new'), '-o', file('.drift')]);
  }
  const module = join(folder, 'module-0.so');
  await writeFile(join(folder, 'module.c'), 'int module(void) { return 1; }\n');
  await exec('gcc', ['-shared', '-fPIC', '-Wl,--build-id=sha1', '-o', module, join(folder, 'module.c')]);
  const count = Math.max(...subjects.map(({ modules }) => modules));
  for (let i = 1; i < count; i++) await copyFile(module, join(folder, `module-${i}.so`));
  return '/project/dist/bench/runtime';
}
