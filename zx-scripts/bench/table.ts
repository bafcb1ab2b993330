// SPDX-License-Identifier: MIT
// Results as a table for a person. Makes a string; prints nothing.

import Table from 'cli-table3';
import pc from 'picocolors';
import type { BenchReport } from './bench.js';
import type { BenchResult } from './result.js';

export function tableOf(title: string, results: readonly BenchResult[], notes: readonly string[]): string {
  const table = new Table({
    head: ['', 'median', 'min – max', 'unit', 'runs', 'ratio', 'min – max', 'to'],
    colAligns: ['left', 'right', 'right', 'left', 'right', 'right', 'right', 'left'],
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: pc.isColorSupported ? ['dim'] : [], border: pc.isColorSupported ? ['dim'] : [] },
  });
  for (const { name, unit, median, min, max, runs, against, ratio, ratioMin, ratioMax } of results) {
    const ratios =
      ratio === null ? ['', ''] : [`${figure(ratio)} ×`, runs > 1 ? `${figure(ratioMin!)} – ${figure(ratioMax!)}` : ''];
    const spread = runs > 1 ? `${figure(min)} – ${figure(max)}` : '';
    table.push([name, figure(median), spread, unit, runs, ...ratios, against ?? '']);
  }
  return [pc.bold(title), table.toString(), ...notes.map((note) => pc.dim(`  ${note}`))].join('\n');
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
