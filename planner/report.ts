// SPDX-License-Identifier: MIT
/** Results as text for people and as JSON for programs. Makes strings; prints nothing. */
import type { DiffResult } from './diff.js';
import type { Finding } from './patch-file/model.js';

const FEW_REASONS = 3;

/** The object that `planner diff --json` prints. */
export function diffJson(result: DiffResult, targetPath: string, output: string | null): unknown {
  const { target, functions, data, imports, refusals, notes, timing } = result;
  return {
    schema: 1,
    target: { path: targetPath, buildId: target.buildId, kind: target.kind },
    functions,
    data,
    imports,
    refusals,
    notes,
    output,
    timing: { totalMs: round(timing.totalMs), compareMs: round(timing.compareMs), textBytes: timing.textBytes },
  };
}

const round = (ms: number): number => Math.round(ms * 10) / 10;

/** What changed and why; `explain`: every reason instead of the first few. */
export function diffText(result: DiffResult, explain: boolean): string {
  const { target, functions, data, imports, timing } = result;
  const lines = [`${target.name} (${target.kind}, build id ${target.buildId})`];
  const mark = { modified: 'replaced', added: 'new', removed: 'gone' } as const;
  for (const { name, change, old, new: now, reasons } of functions) {
    const sizes = [old, now].map((extent) => (extent ? `${extent.size}` : '-')).join(' → ');
    lines.push(`  ${mark[change].padEnd(9)}${name}  ${sizes} bytes${old ? ` at 0x${old.address.toString(16)}` : ''}`);
    if (change !== 'modified') continue;
    const shown = explain ? reasons : reasons.slice(0, FEW_REASONS);
    lines.push(...shown.map((reason) => `             ${reason}`));
    if (shown.length < reasons.length) lines.push(`             ${reasons.length - shown.length} more with --explain`);
  }
  for (const { name, change, section, size } of data)
    lines.push(`  data     ${name} ${change}, ${size} bytes in ${section}`);
  if (explain && imports.length > 0) lines.push(`  uses     ${imports.join(', ')}`);
  const count = (word: string) => functions.filter(({ change }) => change === word).length;
  lines.push(
    `${count('modified')} replaced, ${count('added')} new, ${count('removed')} gone; ${timing.textBytes} bytes of code compared in ${Math.round(timing.compareMs)} ms`,
  );
  return lines.join('\n');
}

export const findingText = ({ code, message }: Finding): string => `${code}: ${message}`;
