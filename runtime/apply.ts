// SPDX-License-Identifier: MIT
/**
 * Apply: from a patch file's bytes to a patched process, as a list of passes.
 *
 * Nothing is visible to the target's threads before `migrateAll`; being killed before it leaves nothing behind. From then
 * on all that is needed to go on stands in the record in the arena: being killed after it leaves a transition that
 * completes by itself and that the next `apply` folds.
 */
import { createHash } from 'node:crypto';
import { type Patch, type RunAddress, runAddress } from '../planner/index.js';
import { checkEntries, placeFunctions } from './detour.js';
import { counted, RuntimeError } from './errors.js';
import { guardRanges } from './guards.js';
import { type Identified, identify } from './identify.js';
import { type Layout, layOut } from './link/layout.js';
import { link } from './link/link.js';
import { parsePatch } from './patch.js';
import type { LoadedObject } from './proc/object.js';
import { Process } from './proc/process.js';
import { type Consistency, encodeRecord, type PatchRecord } from './record.js';
import { findRecords, Texts } from './records.js';
import { resolve } from './resolve.js';
import { Stopwatch, type Timing } from './timing.js';
import { foldBefore, type PendingThread, pendingThreads, type TransitionEvent, watch } from './transition.js';
import { View } from './view.js';

export type ApplyEvent =
  | TransitionEvent
  | { readonly kind: 'step'; readonly step: ApplyStep; readonly message: string };
export type ApplyStep = 'identify' | 'clone' | 'link' | 'write' | 'migrate' | 'fold' | 'done';

export interface ApplyOptions {
  readonly pid: number;
  /** Seconds to wait for the threads; 0: start the transition and do not wait. */
  readonly timeout?: number;
  readonly consistency?: Consistency;
  readonly onEvent?: (event: ApplyEvent) => void;
}

export interface ApplyResult {
  readonly pid: number;
  readonly patch: string;
  readonly state: 'applied' | 'pending';
  /** The process carried this very patch before: nothing was done. */
  readonly already: boolean;
  readonly threads: { readonly total: number; readonly migrated: number };
  /** For 'pending': who is still to go. */
  readonly pending: readonly PendingThread[];
  readonly timing: Timing;
}

export const DEFAULT_TIMEOUT = 60;

interface Job {
  readonly process: Process;
  readonly patch: Patch;
  readonly patchHash: string;
  readonly consistency: Consistency;
  readonly deadline: number;
  readonly clock: Stopwatch;
  readonly emit: (event: ApplyEvent) => void;
  readonly step: (step: ApplyStep, message: string) => void;
}

export async function apply(patchBytes: Uint8Array, options: ApplyOptions): Promise<ApplyResult> {
  const patch = parsePatch(patchBytes);
  const process = Process.open(options.pid);
  try {
    const emit = options.onEvent ?? (() => {});
    return await applyTo({
      process,
      patch,
      patchHash: createHash('sha256').update(patchBytes).digest('hex'),
      consistency: options.consistency ?? 'strict',
      deadline: performance.now() + (options.timeout ?? DEFAULT_TIMEOUT) * 1000,
      clock: new Stopwatch(),
      emit,
      step: (step, message) => emit({ kind: 'step', step, message }),
    });
  } finally {
    process.close();
  }
}

async function applyTo(job: Job): Promise<ApplyResult> {
  const { process, patch } = job;
  const maps = process.maps();
  const found = identify(process, maps, patch.target);
  job.step('identify', `process ${process.pid} (${process.name}) runs ${found.target.path}, ${patch.target.buildId}`);

  const carried = findRecords(process, maps);
  const texts = new Texts(process);
  try {
    const same = carried.filter(({ patchHash }) => patchHash === job.patchHash);
    if (same.some((record) => texts.stateOf(record) === 'applied')) return alreadyApplied(job);
    checkUnwinding(process, patch);
    if (texts.running) return await goOn(job, texts, texts.running, carried);
  } finally {
    texts.close();
  }

  checkEntries(process, maps, found.target, patch.functions, carried);
  const symbols = resolve(process, patch, found);
  const { view, record } = prepare(job, found, symbols);
  return await closing(view, async () => {
    const unchanged = identify(process, process.maps(), patch.target).target.start === found.target.start;
    if (!unchanged) throw new RuntimeError('PROCESS_CHANGED', { pid: process.pid, what: 'the target object moved' });
    process.checkAlive();
    return await transition(job, view, record, () => view.migrateAll(job.consistency));
  });
}

/** The tables are in the patch, but nobody calls __register_frame in the target: an exception would end the process. */
function checkUnwinding(process: Process, { unwind }: Patch): void {
  const [first, ...others] = unwind;
  if (first === undefined) return;
  const functions = others.length === 0 ? first : `${first} (and ${counted(others.length, 'other')})`;
  throw new RuntimeError('UNWIND_UNREGISTERED', { pid: process.pid, functions });
}

/** A sealed view with everything in it. What fails here leaves nothing behind in the target. */
function prepare(
  job: Job,
  { target }: Identified,
  symbols: readonly (RunAddress | null)[],
): { view: View; record: PatchRecord } {
  const { process, patch, clock } = job;
  const view = clock.time('cloneUs', () => View.clone(process.pidfd, process.pid));
  try {
    job.step('clone', 'made a view of the live process');
    const layout = clock.time('linkUs', () => layOut(patch, recordSizeOf(job, target)));
    const arena = clock.time('writeUs', () => view.map(target, layout.codeSize, layout.dataSize));
    const { code, data, record } = clock.time('linkUs', () => {
      const linked = link(patch, layout, arena, symbols);
      const record = recordFor(job, target, layout, arena);
      linked.code.set(encodeRecord(record));
      return { ...linked, record };
    });
    job.step('link', `linked ${counted(patch.sections.length, 'section')} for the arena at 0x${arena.toString(16)}`);
    clock.time('writeUs', () => {
      view.write(arena, code);
      view.write(runAddress(arena + layout.codeSize), data);
      for (const f of record.functions) view.write(f.detour, f.detourBytes);
      view.guard(guardRanges(record.functions));
      view.seal();
    });
    job.step(
      'write',
      `wrote ${code.length + data.length} bytes and ${counted(record.functions.length, 'detour')} into the view`,
    );
    return { view, record };
  } catch (error) {
    view.close();
    throw error;
  }
}

type Room = Pick<Layout, 'sections' | 'codeSize' | 'dataSize'>;

function recordFor(
  job: Job,
  target: LoadedObject,
  { codeSize, dataSize, sections }: Room,
  arena: RunAddress,
): PatchRecord {
  const { patch, patchHash, consistency } = job;
  return {
    name: patch.name,
    patchHash,
    targetName: patch.target.name,
    buildId: patch.target.buildId,
    arena,
    codeSize,
    dataSize,
    bias: target.bias,
    consistency,
    functions: placeFunctions(patch, target, sections, arena),
  };
}

/** It does not depend on addresses: any place within a detour's reach serves to find it out. */
function recordSizeOf(job: Job, target: LoadedObject): number {
  const room = { sections: job.patch.sections.map(() => 0), codeSize: 0, dataSize: 0 };
  return encodeRecord(recordFor(job, target, room, target.start)).length;
}

/** A view is there already: of this patch, then go on with it; of another, then refuse. */
async function goOn(job: Job, texts: Texts, view: View, carried: readonly PatchRecord[]): Promise<ApplyResult> {
  const { process, patchHash } = job;
  const pending = carried.find((record) => texts.stateOf(record) === 'pending');
  if (pending?.patchHash !== patchHash)
    throw new RuntimeError('OTHER_TRANSITION', { pid: process.pid, patch: pending?.name ?? 'not one of driftpatch' });
  return await transition(job, view, pending, () => {});
}

async function transition(job: Job, view: View, record: PatchRecord, start: () => void): Promise<ApplyResult> {
  const { process, deadline, clock } = job;
  job.step('migrate', `${counted(process.threads().length, 'thread')} to migrate, each when it is safe`);
  const begun = performance.now();
  start();
  const { complete, at } = await watch(view, process, deadline, job.emit);
  clock.add('transitionUs', at - begun);

  const state = view.state();
  const threads = { total: state.total, migrated: state.migrated };
  const folding = performance.now();
  const folded = complete && (await fold(job, view, record));
  if (complete) clock.add('foldUs', performance.now() - folding);
  if (!folded) {
    const pending = pendingThreads(view.state(), process, record);
    return { ...outcome(job), state: 'pending', already: false, threads, pending };
  }
  job.step('fold', 'every thread runs the new code; the view is folded into the base');
  return { ...outcome(job), state: 'applied', already: false, threads, pending: [] };
}

/** Two calls may go on with one transition at the same time: the one that comes second finds it folded. */
async function fold({ process, deadline }: Job, view: View, record: PatchRecord): Promise<boolean> {
  try {
    return await foldBefore(view, deadline);
  } catch (error) {
    const texts = new Texts(process);
    const folded = texts.stateOf(record) === 'applied';
    texts.close();
    if (folded) return true;
    throw error;
  }
}

function alreadyApplied(job: Job): ApplyResult {
  const total = job.process.threads().length;
  job.step('done', `process ${job.process.pid} carries ${job.patch.name} already`);
  return { ...outcome(job), state: 'applied', already: true, threads: { total, migrated: total }, pending: [] };
}

const outcome = ({ process, patch, clock }: Job) => ({
  pid: process.pid,
  patch: patch.name,
  timing: clock.timing(),
});

async function closing<T>(view: View, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } finally {
    view.close();
  }
}
