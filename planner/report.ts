// SPDX-License-Identifier: MIT
/** Results as text for people and as JSON for programs. Makes strings; prints nothing. */
import type { DiffResult } from './diff.js';
import type { Finding, Patch } from './patch-file/model.js';

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

/** The object that `planner inspect --json` prints. */
export function patchJson(patch: Patch): unknown {
  const { schema, name, tool, target, sections, symbols, relocations, functions, unwind, notes } = patch;
  return {
    schema,
    name,
    tool,
    target,
    functions: functions.map((fn) => ({
      name: fn.name,
      old: { ...fn.old, bytes: Buffer.from(fn.old.bytes).toString('hex') },
      new: fn.new,
      oldParts: fn.oldParts,
    })),
    sections: sections.map(({ name: section, kind, align, size }) => ({ name: section, kind, align, size })),
    symbols: symbols.map(({ name: symbol, binding }) => ({ name: symbol, ...binding })),
    relocations: relocations.length,
    unwind,
    notes,
  };
}

export function patchText(patch: Patch): string {
  const { name, tool, target, sections, symbols, relocations, functions, unwind, notes } = patch;
  const bytes = (kind: string) =>
    sections.filter((section) => section.kind === kind).reduce((sum, { size }) => sum + size, 0);
  const bound = (kind: string) => symbols.filter(({ binding }) => binding.kind === kind).length;
  return [
    `${name}, made by ${tool}`,
    `  for      ${target.name} (${target.kind}, build id ${target.buildId})`,
    ...functions.map(
      ({ name: fn, old, new: now }) =>
        `  replaces ${fn}  ${old.size} bytes at 0x${old.address.toString(16)}, ${old.room} of room → ${now.size} bytes`,
    ),
    `  carries  ${bytes('code')} bytes of code, ${bytes('rodata')} of constants, ${bytes('data')} of data, ${bytes('bss')} of zeros`,
    `  refers   to ${bound('target')} places of the target and ${bound('import')} of other objects, in ${relocations.length} relocations`,
    ...(unwind.length === 0 ? [] : [`  unwinds  ${unwind.length} functions that C++ exceptions may pass through`]),
    ...(notes.length === 0 ? ['  notes    none'] : notes.map((note) => `  note     ${findingText(note)}`)),
  ].join('\n');
}
