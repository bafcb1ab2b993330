// SPDX-License-Identifier: MIT
/**
 * Apply: from a patch file's bytes to a patched process, as a list of passes.
 *
 * How the text comes to be changed is a way's (`ways/way.ts`). Nothing is visible to the target's threads before its
 * `transition`; being killed before it leaves nothing behind. From then on all that is needed to go on stands in the record
 * in the arena.
 */
import { loadedAt, type Patch } from '../planner/index.js';
import { Carried } from './carried.js';
import { planChange } from './change.js';
import { checkEntries } from './detour.js';
import { counted, RuntimeError } from './errors.js';
import { identify } from './identify.js';
import { install } from './install.js';
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
import { type HashedPatch, parseHashed } from './patch.js';
import { isStillLoaded, type LoadedObject } from './proc/object.js';
import type { PatchRecord } from './record.js';
import { resolve } from './resolve.js';
import { checkSuspended, safePointWords } from './safe-points.js';
import { findUnwinders } from './unwind/unwinders.js';
import { openWay } from './ways/open.js';
import { WaitFree } from './ways/wait-free.js';

export interface ApplyResult extends JobResult {
  readonly state: 'applied' | 'pending';
}

export async function apply(patchBytes: Uint8Array, options: JobOptions): Promise<ApplyResult> {
  return await applyParsed(parseHashed(patchBytes), options);
}

export async function applyParsed({ patch, hash }: HashedPatch, options: JobOptions): Promise<ApplyResult> {
  return await onProcess(options, (job) => applyTo(job, patch, hash));
}

async function applyTo(job: Job, patch: Patch, patchHash: string): Promise<ApplyResult> {
  const { process } = job;
  const maps = process.maps();
  const found = identify(process, maps, patch.target);
  const { target } = found;
  job.step('identify', `process ${process.pid} (${process.name}) runs ${target.path}, ${patch.target.buildId}`);

  return await closing(new Carried(process, maps), async (carried) => {
    const same = carried.patches.filter(({ record }) => record.patchHash === patchHash && record.bias === target.bias);
    const done = () => ({
      ...already(job, carried, patch.name, `process ${process.pid} carries ${patch.name} already`),
    });
    if (same.some(({ state }) => state === 'applied')) return { ...done(), state: 'applied' };
    checkForeign(job, carried);
    const pending = same.find(({ state }) => state === 'pending');
    if (pending) {
      const way = WaitFree.attach(process);
      // Somebody else has folded it just now.
      if (!way) return { ...done(), state: 'applied' };
      carried.close();
      return await closing(way, () => transition(job, way, pending.record, 'applied'));
    }

    checkEntries(maps, target, patch.functions, carried.all());
    checkCumulative(patch, target, carried);
    const words = safePointWords(process, found.objects);
    checkSuspended(process, words, patch);
    const symbols = resolve(process, patch, found);
    const ours = carried.newest.records.flatMap(({ jumps }) => jumps);
    const unwinders = () => findUnwinders(carried.texts.newest, process, patch, found, ours);
    const way = job.clock.time('cloneUs', () => openWay(job.mode, process, words));
    return await closing(way, async () => {
      job.step('clone', OPENED[job.mode]);
      const record = install(job, way, { patch, patchHash, target, symbols, unwinders, carried, maps });
      const change = job.clock.time('linkUs', () => planChange(carried, wantedBy(record, carried), record.jumps));
      job.clock.time('writeUs', () => {
        for (const { address, bytes } of change.writes) if (address !== record.arena) way.write(address, bytes);
        way.guard(change.guards);
      });
      job.step('write', `wrote the new code and ${counted(record.functions.length, 'detour')} to it`);
      if (!isStillLoaded(process, process.maps(), target))
        throw new RuntimeError('PROCESS_CHANGED', { pid: process.pid, what: 'the target object moved' });
      process.checkAlive();
      carried.close();
      return await transition(job, way, record, 'applied');
    });
  });
}

/**
 * What was changed together belongs together: a patch over another one takes the place of all its functions. One that does
 * not was made without the other's fix, and would undo half of it.
 */
function checkCumulative(patch: Patch, target: LoadedObject, { newest }: Carried): void {
  const mine = new Map(
    patch.functions.map(({ name, old }) => [loadedAt(old.address, target.bias) + old.detourOffset, name]),
  );
  for (const record of newest.records) {
    const onTop = record.functions.filter(({ detour }) => newest.entryAt(detour)?.layers[0]?.record === record);
    const shared = onTop.find(({ detour }) => mine.has(detour));
    const missing = onTop.find(({ detour }) => !mine.has(detour));
    if (!shared || !missing) continue;
    const facts = { patch: patch.name, symbol: shared.name, other: record.name, missing: missing.name };
    throw new RuntimeError('NOT_CUMULATIVE', facts);
  }
}

const wantedBy = (record: PatchRecord, { newest }: Carried) =>
  record.functions.map((one) => ({
    function: one,
    bytes: one.detourBytes,
    layers: [{ record, function: one }, ...(newest.entryAt(one.detour)?.layers ?? [])],
  }));
