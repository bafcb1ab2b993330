// SPDX-License-Identifier: MIT
// One server in the guest, in a closed loop and in an open one. The ways take turns, once before it counts, so that what is compiled
// while it runs has been; before each application stands a window in which nothing happens, equally long. All ways have windows of one
// length, but for an application that takes longer (load/windows.ts). After it the patch is taken back the same way, outside of what is
// measured. The server has the barrier compiled in, so that all ways meet the same process.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { apply, patchName, revert } from '../../../runtime/index.js';
import { type LoadProcess, startLoad } from '../../load/process.js';
import {
  comparedWindows,
  now,
  percentile,
  toThousandths as round,
  type Sample,
  thinned,
  type Window,
} from '../../load/windows.js';
import { hasBarrier, raiseBarrier } from '../../servers/barrier.js';
import { subjectNamed } from '../../servers/subjects.js';
import { processesWith } from '../entries.js';
import { type Latencies, type ServerCase, type ServerEvent, type ServerWay, serverWays } from './case.js';
import { shares } from './table.js';
import { startTwin, type Twin } from './twin.js';

const patchSeconds = 60;
const warmMs = 3000;
const tracePoints = 240;

export async function runServer(job: ServerCase, tell: (event: ServerEvent) => void): Promise<void> {
  const scratch = { server: scratchFolder(job), twin: scratchFolder(job) };
  const subject = subjectNamed(job.program);
  const server = await subject.start({ folder: job.folder, host: job.host, scratch: scratch.server });
  let twin: Twin | null = null;
  try {
    const pids = processesWith(join(job.folder, subject.object));
    twin = await startTwin(job, scratch.twin);
    const patch = readFileSync(job.patch);
    const targets: Targets = { server: { pids, patch }, twin: { pids: twin.pids, patch } };
    let perSecond = 0;
    for (const loop of ['closed', 'open'] as const) {
      const words = { server: job.program, port: server.port, connections: subject.connections };
      const load = await startLoad(loop === 'open' ? { ...words, perSecond } : words);
      await sleep(warmMs);
      if (loop === 'closed') perSecond = job.share * (await rateOf(load));
      tell({ kind: 'begin', program: job.program, loop, perSecond });
      await runLoop(job, loop, load, targets, tell);
      const totals = await load.stop();
      const problems = [
        ...(totals.failed + totals.dropped > 0
          ? [`expected no request to fail, found ${totals.failures.join('; ')}`]
          : []),
        ...(server.ending() === null
          ? []
          : [`expected the server to run on, found ${server.ending()}: ${server.said()}`]),
      ];
      tell({ kind: 'end', program: job.program, loop, totals, problems });
    }
  } finally {
    await twin?.stop();
    await server.stop();
    for (const folder of Object.values(scratch)) rmSync(folder, { recursive: true, force: true });
  }
}

const scratchFolder = ({ program }: ServerCase): string => mkdtempSync(join(tmpdir(), `${program}-`));

interface Target {
  readonly pids: readonly number[];
  readonly patch: Buffer;
}

interface Targets {
  readonly server: Target;
  readonly twin: Target;
}

async function rateOf(load: LoadProcess): Promise<number> {
  const [before, from] = [await load.count(), now()];
  await sleep(2000);
  return ((await load.count()).requests - before.requests) / ((now() - from) / 1000);
}

async function runLoop(
  job: ServerCase,
  loop: 'closed' | 'open',
  load: LoadProcess,
  targets: Targets,
  tell: (event: ServerEvent) => void,
): Promise<void> {
  const { program, windowMs } = job;
  const taken = new Map<ServerWay, { quiet: Sample[]; patched: Sample[] }>(
    serverWays.map((way) => [way, { quiet: [], patched: [] }]),
  );
  const once = (way: ServerWay) => {
    const target = way === 'elsewhere' ? targets.twin : targets.server;
    const undo = async () => void (way === 'barrier' || (await change('revert', way, target)));
    return comparedWindows(windowMs, () => (way === 'barrier' ? gather(target) : change('apply', way, target)), undo);
  };
  for (const way of serverWays) await once(way);
  for (let repetition = 0; repetition < job.repetitions; repetition++)
    for (let turn = 0; turn < serverWays.length; turn++) {
      const way = serverWays[(turn + repetition) % serverWays.length]!;
      const { quiet, acted: patched, done: transition, tookMs } = await once(way);
      const both = await Promise.all([quiet, patched].map((window) => load.samples({ ...window, which: 'touching' })));
      const [before, during] = both as [Sample[], Sample[]];
      tell({
        kind: 'run',
        run: { program, loop, way, quiet: latencies(before, quiet), patched: latencies(during, patched), transition },
      });
      taken.get(way)!.quiet.push(...before);
      taken.get(way)!.patched.push(...during);
      // By then everything that is compiled while it runs has been.
      if (repetition < job.repetitions - 1) continue;
      const [from, to] = [Math.min(quiet.from, patched.from), Math.max(quiet.to, patched.to)];
      const near = [...before, ...during].filter(({ end }) => end >= from && end <= to);
      const points = thinned(near, tracePoints, patched.from);
      tell({ kind: 'trace', trace: { program, loop, way, points, seconds: tookMs / 1000 } });
    }
  for (const [way, { quiet, patched }] of taken) {
    const samples = { quiet: quiet.length, patched: patched.length };
    tell({
      kind: 'distribution',
      distribution: { program, loop, way, quiet: quantiles(quiet), patched: quantiles(patched), samples },
    });
  }
}

/** Milliseconds of the longest transition. */
async function change(what: 'apply' | 'revert', way: ServerWay, { pids, patch }: Target): Promise<number> {
  const mode = way === 'stop' ? 'stop' : 'wait-free';
  let longest = 0;
  for (const pid of pids) {
    const options = { pid, timeout: patchSeconds, mode } as const;
    const { state, timing } = what === 'apply' ? await apply(patch, options) : await revert(patchName(patch), options);
    const wanted = what === 'apply' ? 'applied' : 'reverted';
    if (state !== wanted)
      throw new Error(`expected process ${pid} to be ${wanted} within ${patchSeconds} s, found ${state}`);
    longest = Math.max(longest, timing.transitionUs / 1000);
  }
  return longest;
}

/** Milliseconds of the longest gathering. */
async function gather({ pids }: Target): Promise<number> {
  const having = pids.filter(hasBarrier);
  if (having.length === 0) throw new Error(`expected a barrier in one of the processes ${pids.join(', ')}, found none`);
  let longest = 0;
  for (const pid of having) longest = Math.max(longest, (await raiseBarrier(pid, patchSeconds)).gone);
  return longest;
}

function latencies(samples: readonly Sample[], { from, to }: Window): Latencies {
  const sorted = samples.map(({ latency }) => latency).sort((a, b) => a - b);
  const ended = samples.filter(({ end }) => end >= from && end <= to).length;
  const at = (percent: number) => round(percentile(sorted, percent) ?? Number.NaN);
  return {
    requests: sorted.length,
    perSecond: round(ended / ((to - from) / 1000)),
    p50: at(50),
    p99: at(99),
    p999: at(99.9),
    max: round(sorted.at(-1) ?? Number.NaN),
  };
}

function quantiles(samples: readonly Sample[]): number[] {
  const sorted = samples.map(({ latency }) => latency).sort((a, b) => a - b);
  return shares.map((share) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor((share / 100) * sorted.length))] ?? Number.NaN),
  );
}
