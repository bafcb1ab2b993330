// SPDX-License-Identifier: MIT
/**
 * Many cases in a worker of their own: a case that does not end is stopped and is a find, one that takes too much memory
 * as well, and the campaign goes on behind it.
 */
import { Worker } from 'node:worker_threads';
import type { Subject } from './subjects.js';
import type { WorkerInput, WorkerReport } from './worker.js';

export interface Find {
  readonly index: number;
  readonly what: string;
}

export interface Campaign {
  readonly subjects: readonly Subject[];
  readonly seed: number;
  readonly first?: number;
  /** Cases at most. */
  readonly cases: number;
  /** No case is begun after that. */
  readonly seconds?: number;
  /** Processor time that one case may take: on a busy machine the clock says nothing. */
  readonly caseSeconds: number;
  /** MiB that the process may take on top of what it had when the campaign began. */
  readonly memory: number;
  readonly onFind?: (find: Find) => void;
  /** Another worker than the one that tries cases: for tests of the campaign. */
  readonly worker?: URL;
}

export interface CampaignResult {
  /** Cases that were tried. */
  readonly tried: number;
  /** By outcome. */
  readonly counts: ReadonlyMap<string, number>;
  readonly finds: readonly Find[];
  readonly peak: number;
}

export async function runCampaign(campaign: Campaign): Promise<CampaignResult> {
  const counts = new Map<string, number>();
  const finds: Find[] = [];
  const base = process.resourceUsage().maxRSS / 1024;
  let peak = base;
  let tried = 0;
  const deadline = Date.now() + (campaign.seconds ?? 1e9) * 1000;
  const add = (find: Find) => {
    finds.push(find);
    campaign.onFind?.(find);
  };
  const take = ({ index, outcome, peak: now }: WorkerReport) => {
    tried++;
    if ('find' in outcome) add({ index, what: outcome.find });
    else counts.set(outcome.kind, (counts.get(outcome.kind) ?? 0) + 1);
    if (now > base + campaign.memory && now > peak * 1.05) add({ index, what: `memory: ${Math.round(now)} MiB` });
    peak = Math.max(peak, now);
  };
  const begin = campaign.first ?? 0;
  const end = begin + campaign.cases;
  for (let next = begin; next < end && Date.now() < deadline; ) {
    const stopped = await runWorker(campaign, next, end, deadline, take);
    if (stopped === null) break;
    if (stopped.why !== null) add({ index: stopped.index, what: stopped.why });
    next = stopped.index + 1;
  }
  return { tried, counts, finds, peak };
}

/** Where it stopped and why, `why` null for the deadline; null: it came to its end. */
async function runWorker(
  { subjects, seed, caseSeconds, memory, worker: script }: Campaign,
  first: number,
  end: number,
  deadline: number,
  take: (report: WorkerReport) => void,
): Promise<{ readonly index: number; readonly why: string | null } | null> {
  const now = new Int32Array(new SharedArrayBuffer(4));
  Atomics.store(now, 0, first);
  const workerData: WorkerInput = { subjects, seed, first, end, now };
  const worker = new Worker(script ?? new URL('worker.js', import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: memory },
  });
  let current = first;
  let since = process.cpuUsage();
  let why: string | null = null;
  return await new Promise((resolve) => {
    const stop = (reason: string | null) => {
      why = reason;
      clearInterval(timer);
      void worker.terminate();
    };
    const timer = setInterval(() => {
      const index = Atomics.load(now, 0);
      if (index !== current) {
        current = index;
        since = process.cpuUsage();
      }
      const { user, system } = process.cpuUsage(since);
      if (user + system > caseSeconds * 1e6) stop(`no end after ${caseSeconds} s`);
      else if (Date.now() > deadline) stop(null);
    }, 100);
    worker.on('message', take);
    worker.on('error', (error) => {
      why = String(error.stack ?? error);
    });
    worker.on('exit', (code) => {
      clearInterval(timer);
      resolve(code === 0 && why === null ? null : { index: Atomics.load(now, 0), why });
    });
  });
}

export const countsText = ({ tried, counts, peak }: CampaignResult): string =>
  `${tried} cases: ${[...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ')}; ${Math.round(peak)} MiB at most`;
