// SPDX-License-Identifier: MIT
// `npm run evaluate -- synthetic`: the same change, to a program made for it, in three ways: wait-free; with all threads stopped; and
// classic quiescence, a barrier that is compiled into the program. How long does a thread not get on, and how long does it all take?

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from '../../vm/index.js';
import type { Series } from '../bench/result.js';
import { ensureKernel, ensureQemu, ensureRoot, projectFolder } from '../setup.js';
import { ensurePackages, forThreads } from '../system-packages.js';
import type { Evaluated, Evaluation } from './evaluation.js';
import { runPart } from './in-guest.js';
import {
  type Build,
  type SyntheticCase,
  type SyntheticEvent,
  type SyntheticPlan,
  type SyntheticRun,
  type WayName,
  ways,
} from './synthetic/case.js';
import { syntheticTable } from './synthetic/table.js';

/** Half of them run all the time, and the others wait, each in a way of its own. */
const half = 'spin,sleep,recurse,pipe,spin,lock,compute,futex,recurse,poll,spin,socket,compute,signal,spin,select';
const usual = { kinds: half, hold: 0, memory: 16, mappings: 0, size: 0, repetitions: 4, windowMs: 800, ways };

const ofThreads = (threads: number): SyntheticCase => ({
  ...usual,
  ...{ name: threads === 1 ? '1 thread' : `${threads} threads`, axis: 'threads', value: threads, threads },
  // A thousand threads have not all had their turn before.
  ...(threads >= 256 && { repetitions: 3, windowMs: 3 * threads }),
});
/** What has a clone to do with it? One thread runs all the time, so that driftpatch has a processor to itself. */
const alone = {
  ...{ threads: 8, kinds: 'spin,sleep,pipe,futex,poll,socket,signal,select' },
  ...{ windowMs: 400, ways: ['wait-free'] as readonly WayName[] },
};
const ofMemory = (memory: number): SyntheticCase => ({
  ...{ ...usual, ...alone, name: `${memory} MiB touched`, axis: 'memory', value: memory, memory },
});
const ofMappings = (mappings: number): SyntheticCase => ({
  ...{ ...usual, ...alone, name: `${mappings} more mappings`, axis: 'mappings', value: mappings, mappings },
});
const ofSize = (size: number): SyntheticCase => ({
  ...usual,
  ...{ name: `${size} more functions patched`, axis: 'size', value: size, size, threads: 8, repetitions: 3 },
  ways: ['elsewhere', 'wait-free', 'stop'],
});
const ofHold = (hold: number): SyntheticCase => ({
  ...usual,
  ...{ name: `one of 8 threads stays in the function for ${hold} ms`, axis: 'hold', value: hold, threads: 8, hold },
  // it is waited for until the time is over
  ...{ repetitions: 3, windowMs: 6000 },
});

const cases: readonly SyntheticCase[] = [
  ...[1, 2, 16, 64, 256, 1000].map(ofThreads),
  ...[64, 256, 1024].map(ofMemory),
  ...[1000, 10_000].map(ofMappings),
  ...[10, 100, 1000].map(ofSize),
  ...[50, 500].map(ofHold),
  {
    ...{ ...ofHold(0), name: 'one of 8 threads is hardly ever outside the function', repetitions: 2 },
    kinds: half.replace('spin', 'nest'),
  },
  // Longer than anybody waits: a thread that never leaves the patched function. At the barrier all would wait for it for ever.
  {
    ...ofHold(3_600_000),
    name: 'one of 8 threads never leaves the function',
    repetitions: 1,
    windowMs: 9000,
    ways: ['stop', 'wait-free'],
  },
];
export const quickCases: readonly SyntheticCase[] = [
  { ...ofThreads(2), repetitions: 1, windowMs: 500 },
  { ...ofThreads(16), repetitions: 1, windowMs: 500 },
];

export const synthetic: Evaluation = {
  about: 'how long threads do not get on: wait-free, stopped, and at a barrier',
  async run(context): Promise<Evaluated> {
    const { shown, quick, only } = context;
    await ensureQemu(shown);
    await ensurePackages(forThreads, shown.say);
    const kernel = context.bzImage ?? (await ensureKernel('plain', shown)).bzImage;
    const chosen = (quick ? quickCases : cases).filter(
      ({ name }) => only.length === 0 || only.some((word) => name.includes(word)),
    );
    const builds: Record<number, Build> = {};
    for (const { size } of chosen) builds[size] ??= await prepareThreads(size);
    const plan: SyntheticPlan = { builds, cases: chosen };
    const runs: SyntheticRun[] = [];
    const onEvent = (event: SyntheticEvent) => {
      if (event.kind === 'run') runs.push(event.run);
      const name = event.kind === 'run' ? event.run.name : event.name;
      const { repetitions, ways: taken } = chosen.find((one) => one.name === name)!;
      const done = runs.filter((run) => run.name === name).length;
      shown.onStep({ name, done, total: repetitions * taken.length, unit: 'runs' });
    };
    const root = await ensureRoot('image', shown);
    const timeoutSeconds = 900 + chosen.reduce((sum, one) => sum + one.repetitions * one.ways.length * 60, 0);
    const part = { kernel, root, script: 'synthetic/guest.js', plan, timeoutSeconds, onEvent };
    const { accelerator, ...account } = await runPart<SyntheticEvent>(part, context);
    const problems = [...account.problems];
    for (const { name, ways: wanted, repetitions } of chosen)
      for (const way of wanted)
        if (!runs.some((run) => run.name === name && run.way === way) && repetitions > 0)
          problems.push(`${name}: expected an account of ${way}, found none`);
    const data = { cases: chosen, runs };
    return {
      text: syntheticTable(data),
      data,
      series: syntheticSeries(runs),
      problems,
      guest: accelerator,
    };
  },
};

/** The longest standstill in the window with the change, against the one before it. */
export function syntheticSeries(runs: readonly SyntheticRun[]): Series[] {
  const groups = new Map<string, SyntheticRun[]>();
  for (const run of runs) {
    const name = `${run.name.replaceAll(' ', '-')}/${run.way}`;
    groups.set(name, [...(groups.get(name) ?? []), run]);
  }
  return [...groups].flatMap(([name, these]) => {
    const of = (window: 'before' | 'during') => these.map(({ longest }) => longest[window]);
    const before = { name: `${name}/before`, unit: 'ms', values: of('before') };
    return [before, { name: `${name}/during`, unit: 'ms', values: of('during'), against: before.name }];
  });
}

/** Both builds, and the patch from one to the other, where the guest sees them; `size`: of the patch. */
export async function prepareThreads(size = 0): Promise<Build> {
  const folder = join(projectFolder, 'dist/synthetic', String(size));
  await mkdir(folder, { recursive: true });
  const source = join(projectFolder, 'zx-scripts/evaluate/synthetic/threads.c');
  for (const [name, words] of [
    ['old', []],
    ['new', ['-DNEW']],
  ] as const)
    await exec('gcc', ['-g', '-O2', '-pthread', `-DSIZE=${size}`, ...words, '-o', join(folder, name), source]);
  const cli = join(projectFolder, 'dist/planner/planner.js');
  const patch = join(folder, 'step.drift');
  await exec(process.execPath, [cli, 'diff', join(folder, 'old'), join(folder, 'new'), '-o', patch]);
  const inGuest = join('/project/dist/synthetic', String(size));
  return { program: join(inGuest, 'old'), patch: join(inGuest, 'step.drift') };
}
