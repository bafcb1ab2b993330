// SPDX-License-Identifier: MIT
/**
 * `driftpatch apply` and `driftpatch revert`, on one process or on many.
 *
 * Exit status of many: 4 if any was refused, else 5 if any is not complete, else 0. A process that is gone counts for
 * nothing.
 */
import { readFileSync } from 'node:fs';
import { type ChangeFlags, STATUS, selectionOf } from './cli-options.js';
import { printJson, printLines } from './cli-output.js';
import { type Reporter, reporter } from './cli-progress.js';
import {
  type ApplyResult,
  apply,
  applyToMany,
  type JobOptions,
  type ManyOptions,
  type ManyResult,
  NO_TIMING,
  patchName,
  type RevertResult,
  RuntimeError,
  revert,
  revertInMany,
  type Selection,
} from './index.js';
import { threadLine } from './thread-line.js';
import { manyLines, resultLines } from './wording.js';

/** Applying or reverting one patch. */
interface Action {
  /** The patch's name, as far as it is known. */
  readonly patch: string | null;
  readonly one: (options: JobOptions) => Promise<ApplyResult | RevertResult>;
  readonly many: (selection: Selection, options: ManyOptions) => Promise<ManyResult>;
}

export async function runApply(file: string, flags: ChangeFlags): Promise<void> {
  await run(flags, () => {
    const bytes = readPatchFile(file);
    return {
      patch: patchName(bytes),
      one: (options) => apply(bytes, options),
      many: (selection, options) => applyToMany(bytes, selection, options),
    };
  });
}

export async function runRevert(name: string, flags: ChangeFlags): Promise<void> {
  await run(flags, () => ({
    patch: name,
    one: (options) => revert(name, options),
    many: (selection, options) => revertInMany(name, selection, options),
  }));
}

async function run(flags: ChangeFlags, prepare: () => Action): Promise<void> {
  const which = selectionOf(flags);
  const report = await reporter(process.stderr, flags.verbose === true);
  const given = { flags, report, signal: interrupted() };
  let action: Action | null = null;
  try {
    action = prepare();
    if (typeof which === 'number') await runOne(action, which, given);
    else await runMany(action, which, given);
  } catch (error) {
    report.end();
    if (flags.json && error instanceof RuntimeError) printJson(refusal(which, action?.patch ?? null, error));
    throw error;
  }
}

/** Who interrupts us wants us to come to an end, not the transition: it is told how far that has come. Twice is an order. */
function interrupted(): AbortSignal {
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abort.abort());
  return abort.signal;
}

interface Given {
  readonly flags: ChangeFlags;
  readonly report: Reporter;
  readonly signal: AbortSignal;
}

async function runOne(action: Action, pid: number, { flags, report, signal }: Given): Promise<void> {
  const { timeout, consistency, mode } = flags;
  const result = await action.one({ pid, timeout, consistency, mode, onEvent: report.event, signal });
  report.end();
  if (flags.json) printJson({ ...result, refusals: [] });
  else printLines(resultLines(result, consistency));
  if (result.state !== 'pending') return;
  if (flags.json) for (const thread of result.pending) process.stderr.write(`${threadLine(thread)}\n`);
  process.exitCode = STATUS.pending;
}

async function runMany(action: Action, selection: Selection, { flags, report, signal }: Given): Promise<void> {
  const { timeout, consistency, mode } = flags;
  const { onFound, eventOf } = report;
  const result = await action.many(selection, { timeout, consistency, mode, onFound, onEvent: eventOf, signal });
  report.end();
  if (flags.json) printJson(result);
  else printLines(manyLines(result, consistency));
  const has = (state: string) => result.processes.some((one) => one.state === state);
  if (has('refused')) process.exitCode = STATUS.refused;
  else if (has('pending') || result.unsettled) process.exitCode = STATUS.pending;
}

function refusal(which: number | Selection, patch: string | null, { code, message }: RuntimeError): object {
  const refusals = [{ code, message }];
  if (typeof which !== 'number') return { patch, processes: [], hidden: 0, unsettled: false, refusals };
  const threads = { total: 0, migrated: 0 };
  return { pid: which, patch, state: 'refused', threads, timing: NO_TIMING, refusals };
}

function readPatchFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new RuntimeError('PATCH_UNREADABLE', { file, why }, { cause: error });
  }
}
