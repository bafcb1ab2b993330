// SPDX-License-Identifier: MIT
/**
 * What people read: results as lines of text. Values in, strings out.
 */
import type { ApplyResult } from './apply.js';
import { counted, hex } from './errors.js';
import type { PendingThread } from './pending.js';
import type { CarriedPatch, Status } from './status.js';
import type { Why } from './sys/abi.js';

const REASONS: Readonly<Record<Why, string>> = {
  none: 'has just migrated',
  'not-asked': 'has not been asked to migrate',
  running: 'is running and has not been back at user mode’s door yet',
  pc: 'runs',
  stack: 'has on its stack',
  'signal-stack': 'runs on a signal stack',
  uprobe: 'is under a uprobe',
  'stack-unreadable': 'has a stack that cannot be read',
  traced: 'is held by a debugger or tracer, which has to let go of it first',
};

export function threadLine({ tid, name, why, where, place }: PendingThread): string {
  const held = where === null ? '' : ` ${place ? `${place.function}+${hex(place.offset)}` : hex(where)}`;
  return `thread ${tid} (${name}) ${REASONS[why]}${held}`;
}

export function resultLines(result: ApplyResult): string[] {
  const { pid, patch, threads, timing } = result;
  if (result.already) return [`process ${pid} carries ${patch} already`];
  const us = (value: number) => (value < 10_000 ? `${value} µs` : `${(value / 1000).toFixed(1)} ms`);
  if (result.state === 'applied') {
    const parts = `clone ${us(timing.cloneUs)}, transition ${us(timing.transitionUs)}, fold ${us(timing.foldUs)}`;
    return [`process ${pid} carries ${patch}: ${counted(threads.total, 'thread')} migrated (${parts})`];
  }
  return [
    `process ${pid}: ${patch} is under way, ${threads.migrated} of ${threads.total} threads have migrated; still to go:`,
    ...result.pending.map((thread) => `  ${threadLine(thread)}`),
    `the process is consistent; the transition goes on by itself; the same command waits for it again`,
  ];
}

export function statusLines({ processes, hidden }: Status, pid: number | undefined): string[] {
  const lines = processes.flatMap((process) => [
    `process ${process.pid} (${process.name})${process.patches.length === 0 ? ' carries no patch' : ''}`,
    ...process.patches.flatMap(patchLines),
  ]);
  if (processes.length === 0 && pid === undefined) lines.push('no process carries a patch');
  if (hidden > 0) lines.push(`not looked at, for want of permission: ${hidden}`);
  return lines;
}

function patchLines(patch: CarriedPatch): string[] {
  const { threads } = patch;
  const progress = threads ? `, ${threads.migrated} of ${threads.total} threads have migrated` : '';
  return [
    `  ${patch.name}: ${patch.state}${progress} (${patch.functions.join(', ')} in ${patch.target})`,
    ...patch.pending.map((thread) => `    ${threadLine(thread)}`),
  ];
}
