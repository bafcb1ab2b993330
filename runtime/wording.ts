// SPDX-License-Identifier: MIT
/**
 * What people read: results as lines of text. Values in, strings out.
 */
import { counted } from './errors.js';
import type { JobResult } from './job.js';
import type { ManyResult } from './many.js';
import type { Consistency } from './record.js';
import type { CarriedPatch, Status } from './status.js';
import { threadLine } from './thread-line.js';

/** One process's result; of the state of a single one, or of one among many. */
type Changed = JobResult & { readonly state: 'applied' | 'reverted' | 'pending' };

/** `consistency` is what was asked for. */
export function resultLines(result: Changed, consistency: Consistency): string[] {
  const { pid, patch, threads, timing } = result;
  if (result.already)
    return [
      result.state === 'reverted'
        ? `process ${pid} does not run ${patch} any more`
        : `process ${pid} carries ${patch} already`,
    ];
  const us = (value: number) => (value < 10_000 ? `${value} µs` : `${(value / 1000).toFixed(1)} ms`);
  if (result.state !== 'pending') {
    const parts = `clone ${us(timing.cloneUs)}, transition ${us(timing.transitionUs)}, fold ${us(timing.foldUs)}`;
    const now = result.state === 'applied' ? `carries ${patch}` : `runs without ${patch} again`;
    return [`process ${pid} ${now}: ${counted(threads.total, 'thread')} migrated (${parts})`];
  }
  return [
    `process ${pid}: ${patch} is under way, ${threads.migrated} of ${threads.total} threads have migrated; still to go:`,
    ...result.pending.map((thread) => `  ${threadLine(thread)}`),
    `the process is consistent; the transition goes on by itself; the same command waits for it again`,
    ...(consistency === 'strict' && result.pending.some(({ why }) => why === 'stack' || why === 'pc')
      ? [
          `if one does not leave that function: with --consistency entry it ends the call in the old code, and has the new code from its next call on`,
        ]
      : []),
  ];
}

export function manyLines({ patch, processes, hidden, unsettled }: ManyResult, consistency: Consistency): string[] {
  const lines = processes.flatMap((one) => {
    if (one.state === 'refused') return one.refusals.map(({ message }) => `refused: ${message}`);
    if (one.state === 'gone') return [`process ${one.pid} (${one.name}) has ended, or runs another program now`];
    return resultLines({ ...one, state: one.state }, consistency);
  });
  const counts = ['applied', 'reverted', 'pending', 'refused', 'gone'].flatMap((state) => {
    const count = processes.filter((one) => one.state === state).length;
    return count > 0 ? [`${count} ${state}`] : [];
  });
  const summary = `${patch}, ${processes.length} process${processes.length === 1 ? '' : 'es'}: ${counts.join(', ')}`;
  const growing = unsettled ? ['new processes were found each time; give the same command again'] : [];
  return [...lines, summary, ...growing, ...hiddenLine(hidden)];
}

export function statusLines({ processes, hidden }: Status, pid: number | undefined): string[] {
  const lines = processes.flatMap((process) => [
    `process ${process.pid} (${process.name})${process.patches.length === 0 ? ' carries no patch' : ''}`,
    ...process.patches.flatMap(patchLines),
  ]);
  if (processes.length === 0 && pid === undefined) lines.push('no process carries a patch');
  return [...lines, ...hiddenLine(hidden)];
}

export const hiddenLine = (hidden: number): string[] =>
  hidden > 0 ? [`not looked at, for want of permission: ${hidden}`] : [];

function patchLines(patch: CarriedPatch): string[] {
  const { threads, under } = patch;
  const progress = threads ? `, ${threads.migrated} of ${threads.total} threads have migrated` : '';
  const below = under.length > 0 ? `, below ${under.join(', ')}` : '';
  return [
    `  ${patch.name}: ${patch.state}${below}${progress} (${patch.functions.join(', ')} in ${patch.target})`,
    ...patch.pending.map((thread) => `    ${threadLine(thread)}`),
  ];
}
