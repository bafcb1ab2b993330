// SPDX-License-Identifier: MIT
// The planner, as the command that a person runs: time from start to end, megabytes of text per second in the compare phase, peak memory.
// Against what that person would do without it: disassemble both files and compare the listings.

import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exec } from '../../vm/index.js';
import { ensurePackages } from '../system-packages.js';
import type { Bench, BenchContext, Measured } from './bench.js';
import { runNode } from './command.js';
import { corpusPairs, largePair, type Pair } from './pairs.js';
import { buildPlainPlanner } from './plain-core.js';
import { type Case, inTurns } from './result.js';

const notes = [
  'plan: seconds of the whole command `planner diff OLD NEW -o PATCH --json`, in a process of its own',
  'objdump-diff: seconds of `diff <(objdump -d OLD) <(objdump -d NEW)`, both disassemblers at once',
  'compare: megabytes of the old text (the new one is not counted) by seconds of the compare phase, on one core',
  'compare-plain: the same planner with the same core, compiled as TypeScript instead of WebAssembly',
  'memory: the largest peak of resident memory of the command, Node itself included; files: OLD and NEW together',
  'llvm: all static libraries of llvm-14-dev as one shared object, and again with one function before them changed',
];

/** Written, equal, refused: a plan was made. */
const PLANNED = [0, 3, 4];

export const planner: Bench = {
  about: 'planning a patch, against objdump and diff',
  async run(context: BenchContext): Promise<Measured> {
    const { quick, shown, signal } = context;
    await ensurePackages(['binutils', 'diffutils'], shown.say);
    const plain = await buildPlainPlanner();
    const large = await largePair(shown);
    const corpus = await corpusPairs(quick, shown);
    const sets: [string, Pair[], number][] = [['llvm', [large], quick ? 1 : 5]];
    if (corpus) sets.push(['corpus', corpus, quick ? 1 : 3]);
    const scratch = await mkdtemp(join(tmpdir(), 'driftpatch-bench-'));
    try {
      const series = [];
      for (const [name, pairs, runs] of sets) {
        const step = { name: `planning ${name}, ${pairs.length} ${pairs.length === 1 ? 'pair' : 'pairs'}` };
        const cases = casesOver(name, pairs, plain, join(scratch, 'patch.drift'), signal);
        shown.onStep(step);
        series.push(
          ...(await inTurns(cases, runs, (done) => shown.onStep({ ...step, done, total: runs, unit: 'runs' }))),
        );
      }
      return { series, notes: corpus ? notes : [...notes, 'skipped: no corpus; DRIFTPATCH_CORPUS=FOLDER says where'] };
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  },
};

function casesOver(name: string, pairs: readonly Pair[], plain: string, patch: string, signal: AbortSignal): Case[] {
  return [
    {
      measures: [
        { name: `${name}/plan`, unit: 's', against: `${name}/objdump-diff` },
        { name: `${name}/compare`, unit: 'MB/s', against: `${name}/compare-plain` },
        { name: `${name}/memory`, unit: 'MB', against: `${name}/files` },
        { name: `${name}/files`, unit: 'MB' },
      ],
      run: () => plan('planner/planner.js', pairs, patch, signal),
    },
    {
      measures: [{ name: `${name}/compare-plain`, unit: 'MB/s' }],
      run: async () => [(await plan(plain, pairs, patch, signal))[1]!],
    },
    {
      measures: [{ name: `${name}/objdump-diff`, unit: 's' }],
      run: async () => [await objdumpAndDiff(pairs)],
    },
  ];
}

/** Of several pairs: all their time, all their text, and the memory and files of the one that took most memory by its files' size. */
async function plan(command: string, pairs: readonly Pair[], patch: string, signal: AbortSignal): Promise<number[]> {
  let seconds = 0;
  let textBytes = 0;
  let compareMs = 0;
  let largest = { memory: 0, files: 1 };
  for (const { old, new: now } of pairs) {
    const ran = await runNode(command, ['diff', old, now, '-o', patch, '--json'], PLANNED, signal);
    const { timing } = JSON.parse(ran.stdout) as { timing: { compareMs: number; textBytes: number } };
    await rm(patch, { force: true });
    seconds += ran.seconds;
    textBytes += timing.textBytes;
    compareMs += timing.compareMs;
    const files = (await stat(old)).size + (await stat(now)).size;
    if (ran.maxRssBytes > largest.memory) largest = { memory: ran.maxRssBytes, files };
  }
  return [seconds, textBytes / 1e3 / compareMs, largest.memory / 1e6, largest.files / 1e6];
}

async function objdumpAndDiff(pairs: readonly Pair[]): Promise<number> {
  const began = performance.now();
  // 1: they differ. What it says is thrown away: some gigabytes
  const script = 'diff <(objdump -d "$1") <(objdump -d "$2") >/dev/null; test $? -le 1';
  for (const { old, new: now } of pairs) {
    if (!existsSync(old)) throw new Error(`expected ${old}`);
    await exec('bash', ['-c', script, 'bash', old, now]);
  }
  return (performance.now() - began) / 1000;
}
