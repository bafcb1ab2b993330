// SPDX-License-Identifier: MIT
/** What came of a build, as text for people and JSON for programs. Makes strings; prints nothing. */
import type { DiffResult } from '../diff.js';
import { diffJson } from '../report.js';
import type { Built } from './build.js';

export interface TargetResult {
  readonly path: string;
  readonly also: readonly string[];
  readonly output: string | null;
  /** Null if the planner could not use the files; `problem` says why. */
  readonly result: DiffResult | null;
  readonly problem: string | null;
}

/** The object that `planner build --json` prints; each of `targets` is what `planner diff --json` prints, and `also`. */
export function buildJson(patchFile: string, source: string, built: Built, targets: readonly TargetResult[]): unknown {
  return {
    schema: 1,
    patch: patchFile,
    source,
    sourceDateEpoch: Number(built.sourceDateEpoch),
    targets: targets.flatMap(({ path, also, output, result }) =>
      result === null ? [] : [{ ...(diffJson(result, path, output) as object), also }],
    ),
    unusable: targets.flatMap(({ path, problem }) => (problem === null ? [] : [{ path, message: problem }])),
    unchanged: built.unchanged,
    onlyBefore: built.onlyOld,
    onlyAfter: built.onlyNew,
    untouched: built.untouched,
    differences: built.differences,
  };
}

/** One row for each file that changed. */
export function buildTable(targets: readonly TargetResult[]): string {
  const rows = targets.map((target) => [target.path, buildIdOf(target), changesOf(target), verdictOf(target)]);
  const head = ['changed file', 'build id', 'functions', 'patch'];
  const widths = head.map((word, i) => Math.max(word.length, ...rows.map((row) => row[i]!.length)));
  return [head, ...rows]
    .map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join('  '))
    .join('\n');
}

const buildIdOf = ({ result }: TargetResult): string => result?.target.buildId.slice(0, 12) ?? '-';

function changesOf({ result }: TargetResult): string {
  if (result === null) return '-';
  const count = (word: string) => result.functions.filter(({ change }) => change === word).length;
  return `${count('modified')} replaced, ${count('added')} new`;
}

function verdictOf({ output, result }: TargetResult): string {
  if (result === null) return 'cannot be used';
  if (result.refusals.length > 0) return `refused: ${[...new Set(result.refusals.map(({ code }) => code))].join(', ')}`;
  return output ?? (result.patch === null ? 'nothing that runs differs' : 'not written');
}

/** What a person should know about the builds, one sentence a line. */
export function buildRemarks({ onlyOld, onlyNew, untouched, differences }: Built): string[] {
  const some = (paths: readonly string[]) =>
    `${paths.slice(0, 3).join(', ')}${paths.length > 3 ? ` and ${paths.length - 3} more` : ''}`;
  const remarks: string[] = [];
  if (onlyNew.length > 0) remarks.push(`made only with the fix: ${some(onlyNew)}; no process runs them`);
  if (onlyOld.length > 0) remarks.push(`not made any more with the fix: ${some(onlyOld)}`);
  if (untouched.length > 0)
    remarks.push(
      `in the source before the build, and not made by it: ${some(untouched)}; what is stale there stays stale`,
    );
  if (differences?.length === 0) remarks.push('two builds before the fix are the same, byte for byte');
  for (const { path, sections } of differences ?? [])
    remarks.push(`two builds before the fix differ in ${path}: ${sections.map(({ name }) => name).join(', ')}`);
  return remarks;
}
