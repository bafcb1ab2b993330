// SPDX-License-Identifier: MIT
// Results as a table for a person. Makes a string; prints nothing.

import pc from 'picocolors';
import { textTable } from '../tables.js';
import type { BenchReport } from './bench.js';
import type { BenchResult } from './result.js';

export function tableOf(title: string, results: readonly BenchResult[], notes: readonly string[]): string {
  const rows = results.map(({ name, unit, median, min, max, runs, against, ratio, ratioMin, ratioMax }) => {
    const ratios =
      ratio === null ? ['', ''] : [`${figure(ratio)} ×`, runs > 1 ? `${figure(ratioMin!)} – ${figure(ratioMax!)}` : ''];
    const spread = runs > 1 ? `${figure(min)} – ${figure(max)}` : '';
    return [name, figure(median), spread, unit, String(runs), ...ratios, against ?? ''];
  });
  const table = textTable(['', 'median', 'min – max', 'unit', 'runs', 'ratio', 'min – max', 'to'], rows, {
    colAligns: ['left', 'right', 'right', 'left', 'right', 'right', 'right', 'left'],
  });
  return [pc.bold(title), table, ...notes.map((note) => pc.dim(`  ${note}`))].join('\n');
}

export const machineLine = ({ cpu, cores, memoryMb, system, node, guest, advice }: BenchReport['machine']): string =>
  pc.dim(
    `${cores} × ${cpu}, ${memoryMb} MiB, ${system}, node ${node}${guest ? `, guest under ${guest.toUpperCase()}` : ''}. ${advice}`,
  );

/** Three digits that say something. */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || size >= 99.95) return Math.round(value).toString();
  return value.toPrecision(3);
}
