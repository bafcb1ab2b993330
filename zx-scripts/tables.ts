// SPDX-License-Identifier: MIT
// Tables as all our scripts show them: on a terminal, dim rules and none between rows; in Markdown. Makes strings; prints nothing.

import Table, { type TableConstructorOptions } from 'cli-table3';
import pc from 'picocolors';

type Layout = Pick<TableConstructorOptions, 'colWidths' | 'colAligns' | 'wordWrap'>;

export function textTable(head: readonly string[], rows: readonly (readonly string[])[], layout: Layout = {}): string {
  const dim = pc.isColorSupported ? ['dim'] : [];
  const table = new Table({
    head: [...head],
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: dim, border: dim },
    ...layout,
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

/** Its lines. */
export const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  [head, head.map(() => '---'), ...rows].map(
    (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`,
  );
