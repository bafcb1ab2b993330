// SPDX-License-Identifier: MIT
// One server in the guest: again and again it is started with the old program and patched, and started with the new one, twice. The
// three take turns. Each is asked as fast as it answers, for as long, with load of its own that has run as long before.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readPatch } from '../../../planner/index.js';
import { apply } from '../../../runtime/index.js';
import type { LoadTotals } from '../../load/load.js';
import { startLoad } from '../../load/process.js';
import { now, toThousandths } from '../../load/windows.js';
import { subjectNamed } from '../../servers/subjects.js';
import { entriesOf, processesWith } from '../entries.js';
import { type AfterCase, type AfterEvent, type AfterRun, type AfterWay, afterWays } from './case.js';

const patchSeconds = 60;
/** The load generator's own code is compiled while it runs. */
const warmMs = 3000;

export async function measureAfter(job: AfterCase, tell: (event: AfterEvent) => void): Promise<void> {
  const { program, repetitions } = job;
  tell({ kind: 'begin', program });
  const totals = { requests: 0, failed: 0, dropped: 0 };
  const problems: string[] = [];
  for (let repetition = 0; repetition < repetitions; repetition++)
    for (let turn = 0; turn < afterWays.length; turn++) {
      const way = afterWays[(turn + repetition) % afterWays.length]!;
      const { figures, load, ending } = await measure(job, way);
      tell({ kind: 'run', run: { program, way, repetition, ...figures } });
      for (const which of ['requests', 'failed', 'dropped'] as const) totals[which] += load[which];
      if (load.failed + load.dropped > 0)
        problems.push(`${way}: expected no request to fail, found ${load.failures.join('; ')}`);
      if (ending !== null) problems.push(`${way}: expected the server to run on, found ${ending}`);
    }
  tell({ kind: 'end', program, totals, problems });
}

interface Measured {
  readonly figures: Pick<AfterRun, 'perSecond' | 'cpuUs' | 'privateKiB'>;
  readonly load: LoadTotals;
  readonly ending: string | null;
}

async function measure(job: AfterCase, way: AfterWay): Promise<Measured> {
  const { program, host, seconds } = job;
  const subject = subjectNamed(program);
  const folder = way === 'patched' ? job.folder : job.newFolder;
  const object = join(folder, subject.object);
  const scratch = mkdtempSync(join(tmpdir(), `${program}-`));
  const server = await subject.start({ folder, host, scratch });
  try {
    const load = await startLoad({ server: program, port: server.port, connections: subject.connections });
    const pids = processesWith(object);
    if (way === 'patched') await patchAll(pids, object, readFileSync(job.patch));
    await sleep(warmMs);
    const [before, cpuBefore, from] = [await load.count(), cpuMs(pids), now()];
    await sleep(seconds * 1000);
    const [after, cpuAfter, to] = [await load.count(), cpuMs(pids), now()];
    const requests = after.requests - before.requests;
    const figures = {
      perSecond: toThousandths(requests / ((to - from) / 1000)),
      cpuUs: toThousandths(((cpuAfter - cpuBefore) * 1000) / requests),
      privateKiB: privateKiB(pids),
    };
    return { figures, load: await load.stop(), ending: server.ending() };
  } finally {
    await server.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Until every thread runs the new code and the base has it. */
async function patchAll(pids: readonly number[], object: string, patch: Buffer): Promise<void> {
  for (const pid of pids) {
    const { state } = await apply(patch, { pid, timeout: patchSeconds });
    const entries = entriesOf(pid, object, readPatch(patch));
    if (state !== 'applied' || entries !== 'detoured')
      throw new Error(`expected process ${pid} to be patched within ${patchSeconds} s, found ${state}, ${entries}`);
  }
}

/** Processor time so far, by the ticks of proc_pid_stat(5): a hundred in a second (USER_HZ), fields 14 and 15. */
function cpuMs(pids: readonly number[]): number {
  const ticks = pids.map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, one) => sum + one, 0) * 10;
}

function privateKiB(pids: readonly number[]): number {
  const of = (pid: number) => [
    ...readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm),
  ];
  return pids.flatMap(of).reduce((sum, [, kib]) => sum + Number(kib), 0);
}
