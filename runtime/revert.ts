// SPDX-License-Identifier: MIT
/**
 * Revert: the transition of a patch backwards.
 *
 * What its detours replaced is written again, be it the old function's own bytes or an earlier patch's detour, and threads
 * leave its code before they go there. Its arena stays: pointers into it, and its data, may be in use.
 */
import { Carried, type Patched } from './carried.js';
import { planChange } from './change.js';
import { counted, RuntimeError } from './errors.js';
import {
  already,
  checkForeign,
  closing,
  type Job,
  type JobOptions,
  type JobResult,
  OPENED,
  onProcess,
  transition,
} from './job.js';
import type { PatchRecord } from './record.js';
import { safePointWords } from './safe-points.js';
import { openWay } from './ways/open.js';
import { WaitFree } from './ways/wait-free.js';

export interface RevertResult extends JobResult {
  readonly state: 'reverted' | 'pending';
}

/** `name` is the patch's, or the head of its hash: at least 8 digits. */
export async function revert(name: string, options: JobOptions): Promise<RevertResult> {
  return await onProcess(options, (job) => revertIn(job, name));
}

async function revertIn(job: Job, name: string): Promise<RevertResult> {
  const { process } = job;
  const maps = process.maps();
  return await closing(new Carried(process, maps), async (carried) => {
    const { record, state, over } = choose(job, name, carried.patches);
    job.step('identify', `process ${process.pid} (${process.name}) carries ${record.name}: ${state}`);
    const done = () =>
      already(job, carried, record.name, `process ${process.pid} does not run ${record.name} any more`);
    checkForeign(job, carried);
    if (state === 'inactive') return { ...done(), state: 'reverted' };
    if (state === 'reverting') {
      const way = WaitFree.attach(process);
      if (!way) return { ...done(), state: 'reverted' };
      carried.close();
      return await closing(way, () => transition(job, way, record, 'reverted'));
    }
    checkUncovered(job, record, over);

    const change = planChange(carried, wantedWithout(record, carried));
    const words = safePointWords(process);
    const way = job.clock.time('cloneUs', () => openWay(job.mode, process, words));
    return await closing(way, async () => {
      job.step('clone', OPENED[job.mode]);
      job.clock.time('writeUs', () => {
        for (const { address, bytes } of change.writes) way.write(address, bytes);
        way.guard(change.guards);
      });
      job.step('write', `took back ${counted(record.functions.length, 'detour')}`);
      carried.close();
      process.checkAlive();
      return await transition(job, way, record, 'reverted');
    });
  });
}

/** `wanted` is a patch's name, or the head of its hash: at least 8 digits. */
export const isNamed = ({ name, patchHash }: PatchRecord, wanted: string): boolean =>
  name === wanted || (/^[0-9a-f]{8,64}$/.test(wanted) && patchHash.startsWith(wanted));

/** Of several that have the name, the one that runs. */
function choose({ process: { pid } }: Job, wanted: string, patches: readonly Patched[]): Patched {
  const named = patches.filter(({ record }) => isNamed(record, wanted));
  const active = named.filter(({ state }) => state === 'applied' || state === 'pending');
  const [first, ...others] =
    [active, named.filter(({ state }) => state === 'reverting'), named].find((list) => list.length > 0) ?? [];
  if (!first) {
    const found = patches.filter(({ state }) => state !== 'inactive').map(({ record }) => record.name);
    throw new RuntimeError('NOT_CARRIED', { pid, patch: wanted, found: found.join(', ') || 'none' });
  }
  if (others.length > 0 && active.length > 0) {
    const found = active.map(({ record }) => record.patchHash.slice(0, 12)).join(', ');
    throw new RuntimeError('AMBIGUOUS', { pid, patch: wanted, found });
  }
  return first;
}

function checkUncovered({ process: { pid } }: Job, record: PatchRecord, over: readonly PatchRecord[]): void {
  const [first] = over;
  if (!first) return;
  const names = over.map(({ name }) => name);
  throw new RuntimeError('COVERED', {
    pid,
    patch: record.name,
    over: names.length === 1 ? `${names[0]} lies` : `${names.join(', ')} lie`,
    first: first.name,
  });
}

const wantedWithout = (record: PatchRecord, { newest }: Carried) =>
  record.functions.map((one) => ({
    function: one,
    bytes: one.originalBytes,
    layers: newest.entryAt(one.detour)?.layers.slice(1) ?? [],
  }));
