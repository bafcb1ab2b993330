// SPDX-License-Identifier: MIT
/**
 * Apply: from a patch file's bytes to a patched process, as a list of passes.
 *
 * How the text comes to be changed is a way's (`ways/way.ts`). Nothing is visible to the target's threads before its
 * `transition`; being killed before it leaves nothing behind. From then on all that is needed to go on stands in the record
 * in the arena.
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
import { type PendingThread, pendingThreads } from './pending.js';
import type { LoadedObject } from './proc/object.js';
import { Process } from './proc/process.js';
import { type Consistency, encodeRecord, type PatchRecord } from './record.js';
import { findRecords, Texts } from './records.js';
import { resolve } from './resolve.js';
import { codeSymbols } from './symbols/code-symbols.js';
import { Stopwatch, type Timing } from './timing.js';
import { framesIn } from './unwind/frames.js';
import { finderSize, placeFinder, type UnwinderJump } from './unwind/place.js';
import { findUnwinders, type Unwinder } from './unwind/unwinders.js';
import { openWay } from './ways/open.js';
import { WaitFree } from './ways/wait-free.js';
import type { Mode, TransitionEvent, Way } from './ways/way.js';
import { threadLine } from './wording.js';

export type ApplyEvent =
  | TransitionEvent
  | { readonly kind: 'step'; readonly step: ApplyStep; readonly message: string };
export type ApplyStep = 'identify' | 'clone' | 'link' | 'write' | 'migrate' | 'fold' | 'done';

export interface ApplyOptions {
  readonly pid: number;
  /** Seconds to wait for the threads; 0: start the transition and do not wait. */
  readonly timeout?: number;
  readonly consistency?: Consistency;
  readonly mode?: Mode;
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
  readonly mode: Mode;
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
      mode: options.mode ?? 'wait-free',
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
    if (texts.running) return await goOn(job, texts, carried);
  } finally {
    texts.close();
  }

  checkEntries(process, maps, found.target, patch.functions, carried);
  const symbols = resolve(process, patch, found);
  const unwinders = findUnwinders(
    process,
    patch,
    found,
    carried.flatMap(({ jumps }) => jumps),
  );
  const way = job.clock.time('cloneUs', () => openWay(job.mode, process));
  return await closing(way, async () => {
    job.step('clone', CLONED[job.mode]);
    const record = build(job, way, found, { symbols, unwinders });
    const unchanged = identify(process, process.maps(), patch.target).target.start === found.target.start;
    if (!unchanged) throw new RuntimeError('PROCESS_CHANGED', { pid: process.pid, what: 'the target object moved' });
    process.checkAlive();
    return await transition(job, way, record);
  });
}

const CLONED: Readonly<Record<Mode, string>> = {
  'wait-free': 'made a view of the live process',
  stop: 'ready to stop the live process',
};

/** What the new code is bound to in the process. */
interface Bound {
  readonly symbols: readonly (RunAddress | null)[];
  readonly unwinders: readonly Unwinder[];
}

/** Puts everything into the way. What fails here leaves nothing behind in the target. */
function build(job: Job, way: Way, { target }: Identified, { symbols, unwinders }: Bound): PatchRecord {
  const { patch, clock } = job;
  const layout = clock.time('linkUs', () =>
    layOut(patch, recordSizeOf(job, target, unwinders), finderSize(patch, unwinders)),
  );
  const arena = clock.time('writeUs', () => way.map(target, layout.codeSize, layout.dataSize));
  const { code, data, record } = clock.time('linkUs', () => {
    const linked = link(patch, layout, arena, symbols);
    const finder = placeFinder(patch, layout, arena, unwinders);
    const record = recordFor(job, target, layout, arena, finder.jumps);
    linked.code.set(encodeRecord(record));
    linked.code.set(finder.bytes, layout.finder);
    return { ...linked, record };
  });
  job.step('link', `linked ${counted(patch.sections.length, 'section')} for the arena at 0x${arena.toString(16)}`);
  clock.time('writeUs', () => {
    way.write(arena, code);
    if (data.length > 0) way.write(runAddress(arena + layout.codeSize), data);
    for (const { at, bytes } of record.jumps) way.write(at, bytes);
    for (const f of record.functions) way.write(f.detour, f.detourBytes);
    way.guard(guardRanges(record));
  });
  job.step('write', `wrote ${code.length + data.length} bytes and ${counted(record.functions.length, 'detour')}`);
  return record;
}

function recordFor(
  job: Job,
  target: LoadedObject,
  layout: Pick<Layout, 'sections' | 'codeSize' | 'dataSize'>,
  arena: RunAddress,
  jumps: readonly UnwinderJump[],
): PatchRecord {
  const { patch, patchHash, consistency } = job;
  const { codeSize, dataSize, sections } = layout;
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
    jumps,
    symbols: codeSymbols(patch, sections, arena),
    frames: framesIn(patch, sections, arena),
  };
}

/** It does not depend on addresses: any place within a detour's reach serves to find it out. */
function recordSizeOf(job: Job, target: LoadedObject, unwinders: readonly Unwinder[]): number {
  const nowhere = { sections: job.patch.sections.map(() => 0), codeSize: 0, dataSize: 0 };
  const jumps = unwinders.map(({ at, original }) => ({ at, original, bytes: original }));
  return encodeRecord(recordFor(job, target, nowhere, target.start, jumps)).length;
}

/** A transition is under way: of this patch, then go on with it; of another, then refuse. */
async function goOn(job: Job, texts: Texts, carried: readonly PatchRecord[]): Promise<ApplyResult> {
  const { process, patchHash } = job;
  const pending = carried.find((record) => texts.stateOf(record) === 'pending');
  if (pending?.patchHash !== patchHash)
    throw new RuntimeError('OTHER_TRANSITION', { pid: process.pid, patch: pending?.name ?? 'not one of driftpatch' });
  const way = WaitFree.attach(process);
  // Somebody else has folded it just now.
  if (!way) return alreadyApplied(job);
  return await closing(way, () => transition(job, way, pending));
}

async function transition(job: Job, way: Way, record: PatchRecord): Promise<ApplyResult> {
  const { process, consistency, deadline, clock, emit } = job;
  job.step('migrate', `${counted(process.threads().length, 'thread')} to migrate, each when it is safe`);
  const { done, underWay, total, migrated, threads } = await way.transition({ consistency, deadline, clock, emit });
  const result = { ...outcome(job), already: false, threads: { total, migrated } };
  if (!done && !underWay) throw held(process, pendingThreads(threads, process, record));
  if (!done) return { ...result, state: 'pending', pending: pendingThreads(threads, process, record) };
  job.step('fold', 'every thread runs the new code, and the base has it');
  return { ...result, state: 'applied', pending: [] };
}

/** Nothing is under way: all threads have gone on with the old code. */
function held({ pid }: Process, pending: readonly PendingThread[]): RuntimeError {
  return new RuntimeError('HELD', { pid, threads: pending.map(threadLine).join('; ') });
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

async function closing<T>(way: Way, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } finally {
    way.close();
  }
}
