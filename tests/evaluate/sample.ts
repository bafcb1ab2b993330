// SPDX-License-Identifier: MIT
/** Figures as evaluations leave them, made up: for tests of what is made of them. */
import { afterWays } from '../../zx-scripts/evaluate/after/case.js';
import type { AfterData } from '../../zx-scripts/evaluate/after/table.js';
import type { CorpusRow } from '../../zx-scripts/evaluate/corpus.js';
import { type Latencies, serverWays } from '../../zx-scripts/evaluate/servers/case.js';
import { shares } from '../../zx-scripts/evaluate/servers/table.js';
import type { ServersData } from '../../zx-scripts/evaluate/servers.js';
import { type SyntheticCase, type SyntheticRun, ways } from '../../zx-scripts/evaluate/synthetic/case.js';
import type { SyntheticData } from '../../zx-scripts/evaluate/synthetic/table.js';
import { randomNumbers } from '../../zx-scripts/load/request.js';

const random = randomNumbers(1);
const between = (from: number, to: number) => from + random() * (to - from);
const times = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));

const window = (before: number, factor: number) => ({ before, during: before * factor, after: before });

export function sampleSynthetic(): SyntheticData {
  const base = {
    kinds: 'spin',
    hold: 0,
    memory: 16,
    mappings: 0,
    size: 0,
    ways,
    repetitions: 5,
    windowMs: 100,
  } as const;
  const cases: SyntheticCase[] = [
    ...[2, 16, 64, 256, 1000].map((value) => ({
      ...base,
      ...{ name: `${value} threads`, axis: 'threads' as const, value, threads: value },
    })),
    ...[64, 256, 1024].map((value) => ({
      ...base,
      ...{ name: `${value} MiB touched`, axis: 'memory' as const, value, threads: 8, ways: ['wait-free'] as const },
    })),
  ];
  const factor = { elsewhere: 1.1, 'wait-free': 1.2, stop: 6, barrier: 9 } as const;
  const runs: SyntheticRun[] = cases.flatMap(({ name, ways: taken, threads }) =>
    taken.flatMap((way) =>
      times(5, () => ({
        ...{ name, way, state: 'done' as const, why: '' },
        longest: window(threads, factor[way] * between(0.8, 1.25)),
        typical: window(threads / 2, factor[way]),
        rounds: window(1000, 1 / factor[way]),
        operation: { before: 3, during: 3, after: 3.03 },
        memory: { before: 20_000, during: 20_100, after: 20_008 },
        reached: way === 'elsewhere' ? null : { median: threads, last: 2 * threads },
        transition: between(1, 3) * threads,
        clone: between(0.2, 0.3),
      })),
    ),
  );
  return { cases, runs };
}

export function sampleCorpus(): CorpusRow[] {
  const named = (program: string, fix: string) => ({
    ...{ program, version: '1.0-1', fix, name: `CVE-2026-${fix}.patch`, added: [], problems: [], case: null },
  });
  const totals = { connections: 16, requests: 12_345, failed: 0, dropped: 0, failures: [] };
  const applied = ['memcached', 'redis', 'nginx', 'mosquitto', 'libxml2'].flatMap((program) =>
    times(3, (at): CorpusRow => {
      const fix = `00${at}`;
      const held = times(11, () => between(0.4, 2.5));
      const counts = {
        processes: 1,
        threads: 13,
        applied: 11,
        reverted: 10,
        transitions: [900, 1000],
        quiet: 0.5,
        held,
      };
      const result = { program, fix, ...counts, totals, behaviour: null, problems: [] };
      return { ...named(program, fix), status: 0, modified: ['a_function'], refusals: [], result };
    }),
  );
  const refused = { status: 4, modified: ['b'], refusals: ['LAYOUT_CHANGED'], result: null };
  return [...applied, { ...named('redis', '013'), ...refused }];
}

export function sampleServers(): ServersData {
  const factor = { elsewhere: 1.05, 'wait-free': 1.1, stop: 3, barrier: 4 } as const;
  const latencies = (by: number): Latencies => {
    const [requests, perSecond] = [500, 500 / by];
    return { requests, perSecond, p50: by, p99: 3 * by, p999: 5 * by, max: between(5, 8) * by };
  };
  const quantiles = (by: number) => shares.map((share) => by * (1 - Math.log(1.0001 - share / 100)));
  const all = ['memcached', 'redis'].flatMap((program) =>
    (['closed', 'open'] as const).flatMap((loop) => serverWays.map((way) => ({ program, loop, way }))),
  );
  return {
    runs: all.flatMap((one) =>
      times(30, () => ({ ...one, quiet: latencies(1), patched: latencies(factor[one.way]), transition: 10 })),
    ),
    distributions: all.map((one) => ({
      ...one,
      ...{ quiet: quantiles(1), patched: quantiles(factor[one.way]), samples: { quiet: 15_000, patched: 15_000 } },
    })),
    traces: all.map((one) => ({
      ...one,
      points: times(
        400,
        (at) => [at / 200 - 1, between(0.5, 2) * (one.way === 'stop' && at > 240 && at < 260 ? 20 : 1)] as const,
      ),
      seconds: 0.4,
    })),
    ends: [{ program: 'memcached', loop: 'open', requests: 30_000, failed: 0, dropped: 0 }],
  };
}

export function sampleAfter(): AfterData {
  const factor = { patched: 1.02, restarted: 1, again: 0.99 } as const;
  const runs = ['memcached', 'redis'].flatMap((program) =>
    times(7, (repetition) => repetition).flatMap((repetition) =>
      afterWays.map((way) => ({
        ...{ program, way, repetition },
        perSecond: 500 * (1 + repetition) * factor[way],
        cpuUs: 900 / factor[way],
        privateKiB: way === 'patched' ? 2020 : 2000,
      })),
    ),
  );
  return { runs, ends: [{ program: 'memcached', requests: 30_000, failed: 0, dropped: 0 }] };
}
