// SPDX-License-Identifier: MIT
// `npm run evaluate -- servers`: what requests feel while a server is patched, in a closed loop and in an open one: wait-free, with all
// threads stopped, and, for comparison, while driftpatch does the same work on its twin.

import type { Series } from '../bench/result.js';
import { subjects } from '../servers/subjects.js';
import { ensureKernel, ensureQemu, projectFolder } from '../setup.js';
import { prepareSubject } from './corpus/prepare.js';
import type { Evaluated, Evaluation } from './evaluation.js';
import { runPart } from './in-guest.js';
import {
  type Distribution,
  type ServerCase,
  type ServerEvent,
  type ServerPlan,
  type ServerRun,
  serverWays,
  type Trace,
} from './servers/case.js';
import { serversTable } from './servers/table.js';

export interface ServersData {
  readonly runs: ServerRun[];
  readonly distributions: Distribution[];
  readonly traces: Trace[];
  /** Per program and loop. */
  readonly ends: { program: string; loop: string; requests: number; failed: number; dropped: number }[];
}

/** A fix in what most requests run through, where there is one. */
export const servedFixes: Readonly<Record<string, string>> = {
  memcached: '007',
  redis: '016',
  nginx: '005',
  mosquitto: '008',
  slapd: '015',
  squid: '006',
};

export const servers: Evaluation = {
  about: 'the latency of requests while a server is patched, in closed and open loops',
  async run(context): Promise<Evaluated> {
    const { shown, quick, only } = context;
    await ensureQemu(shown);
    const kernel = context.bzImage ?? (await ensureKernel('plain', shown)).bzImage;
    const names = Object.keys(servedFixes).filter((name) => (quick ? name === 'memcached' : true));
    const data: ServersData = { runs: [], distributions: [], traces: [], ends: [] };
    const problems: string[] = [];
    let guest: Evaluated['guest'] = null;
    for (const name of names.filter((one) => only.length === 0 || only.includes(one))) {
      const subject = subjects.find((one) => one.program.name === name)!;
      const chosen = subject.fixes.filter(({ index }) => index === servedFixes[name]);
      const [planned] = await prepareSubject(subject, {
        ...{ project: projectFolder, rounds: 0, fixes: chosen, shown },
        barrier: true,
      });
      if (!planned?.case)
        throw new Error(`expected a patch for ${name} ${servedFixes[name]}, found ${planned?.refusals}`);
      const repetitions = quick ? 1 : 15; // in each of two loops
      const total = repetitions * 2 * serverWays.length;
      const job: ServerCase = { ...planned.case, repetitions, windowMs: quick ? 500 : 2500, share: 0.5 };
      const plan: ServerPlan = { cases: [job] };
      const onEvent = (event: ServerEvent) => {
        if (event.kind === 'run') data.runs.push(event.run);
        if (event.kind === 'distribution') data.distributions.push(event.distribution);
        if (event.kind === 'trace') data.traces.push(event.trace);
        if (event.kind === 'end') {
          const { program, loop, totals } = event;
          data.ends.push({ program, loop, requests: totals.requests, failed: totals.failed, dropped: totals.dropped });
          problems.push(...event.problems.map((line) => `${program}, ${loop} loop: ${line}`));
        }
        const done = data.runs.filter((run) => run.program === name).length;
        shown.onStep({ name: `patch ${name} under load`, done, total, unit: 'times' });
      };
      const part = { kernel, root: { kind: 'host' } as const, script: 'servers/guest.js', plan, onEvent };
      const account = await runPart<ServerEvent>({ ...part, timeoutSeconds: 900 + total * 30 }, context);
      problems.push(...account.problems.map((line) => `${name}: ${line}`));
      const found = data.runs.filter((run) => run.program === name).length;
      if (found !== total) problems.push(`${name}: expected ${total} applications, found ${found}`);
      guest ??= account.accelerator;
    }
    return { text: serversTable(data), data, series: serversSeries(data.runs), problems, guest };
  },
};

/** Latencies in the windows with an application, against the quiet ones before them. */
export function serversSeries(runs: readonly ServerRun[]): Series[] {
  const groups = new Map<string, ServerRun[]>();
  for (const run of runs) {
    const name = `${run.program}/${run.loop}/${run.way}`;
    groups.set(name, [...(groups.get(name) ?? []), run]);
  }
  return [...groups].flatMap(([group, these]) =>
    (['p50', 'p99', 'p999', 'max'] as const).flatMap((which) => {
      const of = (window: 'quiet' | 'patched') => these.map((run) => run[window][which]);
      const quiet = { name: `${group}/${which}/quiet`, unit: 'ms', values: of('quiet') };
      return [quiet, { name: `${group}/${which}/patched`, unit: 'ms', values: of('patched'), against: quiet.name }];
    }),
  );
}
