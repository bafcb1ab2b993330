// SPDX-License-Identifier: MIT
/**
 * Many processes: each has its own transition, all at the same time, and what becomes of one is nothing to the others.
 *
 * A process that ends, or executes another program, is gone: no failure. A child that an unpatched thread forks meanwhile
 * is unpatched, so after each round the processes are looked for again, until none is left that has not had its turn.
 */
import { applyParsed } from './apply.js';
import { Deadline } from './deadline.js';
import { RuntimeError } from './errors.js';
import type { JobEvent, JobOptions, JobResult } from './job.js';
import { parseHashed } from './patch.js';
import { loadedObjects } from './proc/object.js';
import { findRecords } from './records.js';
import { isNamed, revert } from './revert.js';
import { type Found, findTargets, isStill, type Selection, type Target, type Wish } from './targets.js';
import { NO_TIMING } from './timing.js';
import { DEFAULT_TIMEOUT } from './ways/way.js';

export interface ManyOptions extends Omit<JobOptions, 'pid' | 'onEvent'> {
  readonly onEvent?: (event: JobEvent, target: Target) => void;
  /** Once each time that processes have been found: how many there are by now. */
  readonly onFound?: (count: number) => void;
}

export interface OneOfMany extends Omit<JobResult, 'already'> {
  readonly name: string;
  readonly state: 'applied' | 'reverted' | 'pending' | 'refused' | 'gone';
  readonly already: boolean;
  readonly refusals: readonly { readonly code: string; readonly message: string }[];
}

export interface ManyResult {
  readonly patch: string;
  readonly processes: readonly OneOfMany[];
  /** Processes that could not be looked at for want of permission. */
  readonly hidden: number;
  /** New processes were found whenever we looked again. */
  readonly unsettled: boolean;
}

export async function applyToMany(
  patchBytes: Uint8Array,
  selection: Selection,
  options: ManyOptions = {},
): Promise<ManyResult> {
  const hashed = parseHashed(patchBytes);
  const { name, target } = hashed.patch;
  const wish: Wish = (process, maps) => loadedObjects(process, maps).some(({ buildId }) => buildId === target.buildId);
  const result = await onEach(name, selection, wish, options, (one) => applyParsed(hashed, one));
  if (result.processes.length > 0) return result;
  throw new RuntimeError('NO_TARGETS', {
    what: `has ${target.name} with build id ${target.buildId} loaded`,
    ...where(selection, result),
  });
}

export async function revertInMany(name: string, selection: Selection, options: ManyOptions = {}): Promise<ManyResult> {
  const wish: Wish = (process, maps) =>
    findRecords(process.read.bind(process), maps).some((record) => isNamed(record, name));
  const result = await onEach(name, selection, wish, options, (one) => revert(name, one));
  if (result.processes.length > 0) return result;
  throw new RuntimeError('NO_TARGETS', { what: `carries the patch ${name}`, ...where(selection, result) });
}

const where = (selection: Selection, { hidden }: ManyResult) => ({
  which: 'exe' in selection ? `no process of ${selection.exe}` : 'no process',
  hidden: hidden > 0 ? ` (${hidden} could not be looked at for want of permission)` : '',
});

const MOST_ROUNDS = 20;
const AT_ONCE = 64;

async function onEach(
  patch: string,
  selection: Selection,
  wish: Wish,
  options: ManyOptions,
  act: (one: JobOptions) => Promise<JobResult & { state: OneOfMany['state'] }>,
): Promise<ManyResult> {
  const { onEvent, onFound, ...rest } = options;
  const deadline = new Deadline(options.timeout ?? DEFAULT_TIMEOUT, options.signal);
  const results = new Map<string, OneOfMany>();
  const turn = async (target: Target) => {
    const timeout = deadline.left / 1000;
    const said = onEvent && ((event: JobEvent) => onEvent(event, target));
    const one = { ...rest, pid: target.pid, timeout, ...(said ? { onEvent: said } : {}) };
    results.set(idOf(target), await outcomeOf(target, wish, patch, () => act(one)));
  };
  let found: Found = { targets: [], hidden: 0 };
  for (let round = 0; round < MOST_ROUNDS; round++) {
    found = findTargets(selection, wish);
    // One that has executed a program of its own may have what is wanted again.
    const left = found.targets.filter((target) => (results.get(idOf(target))?.state ?? 'gone') === 'gone');
    if (left.length === 0) return { patch, processes: [...results.values()], hidden: found.hidden, unsettled: false };
    onFound?.(results.size + left.length);
    await inParallel(left, turn);
  }
  return { patch, processes: [...results.values()], hidden: found.hidden, unsettled: true };
}

const idOf = ({ pid, startTime }: Target) => `${pid} ${startTime}`;

async function inParallel(targets: readonly Target[], turn: (target: Target) => Promise<void>): Promise<void> {
  const queue = [...targets];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await turn(next);
  };
  // A fault of our own in one of them is thrown when the others have come to their end.
  const ends = await Promise.allSettled(Array.from({ length: Math.min(AT_ONCE, queue.length) }, worker));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

async function outcomeOf(
  target: Target,
  wish: Wish,
  patch: string,
  act: () => Promise<JobResult & { state: OneOfMany['state'] }>,
): Promise<OneOfMany> {
  const { pid, name } = target;
  try {
    return { name, ...(await act()), refusals: [] };
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    const nothing = { already: false, threads: { total: 0, migrated: 0 }, pending: [], timing: NO_TIMING };
    if (!isStill(target, wish)) return { pid, name, patch, state: 'gone', ...nothing, refusals: [] };
    const { code, message } = error;
    return { pid, name, patch, state: 'refused', ...nothing, refusals: [{ code, message }] };
  }
}
