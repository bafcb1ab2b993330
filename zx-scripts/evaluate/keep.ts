// SPDX-License-Identifier: MIT
// What a whole run leaves in the checkout: docs/evaluation/NAME.json with its figures; and, made from all that are there,
// docs/evaluation.md with the tables and docs/evaluation/index.html with the charts too.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from '../../vm/index.js';
import { describeMachine } from '../bench/machine.js';
import { subjects } from '../servers/subjects.js';
import { type AfterData, afterMarkdown } from './after/table.js';
import { corpusMarkdown } from './corpus/table.js';
import type { CorpusRow } from './corpus.js';
import type { Evaluated } from './evaluation.js';
import type { Chart } from './report/chart.js';
import { afterCharts, corpusCharts, serversCharts, syntheticCharts } from './report/charts.js';
import { pageOf, type Section } from './report/page.js';
import { serversMarkdown } from './servers/table.js';
import type { ServersData } from './servers.js';
import { axes, type SyntheticCase } from './synthetic/case.js';
import { type SyntheticData, syntheticMarkdown } from './synthetic/table.js';

interface Kept {
  readonly schema: 1;
  readonly machine: ReturnType<typeof describeMachine>;
  readonly problems: readonly string[];
  readonly results: unknown;
}

/** How an evaluation's figures are shown, and how those of a part of it go among those of the whole. */
interface Shown<Data> {
  readonly markdown: (data: Data, guest: 'kvm' | 'tcg' | null) => string;
  readonly charts: (data: Data) => Chart[];
  readonly merge: (kept: Data, found: Data) => Data;
  /** How problems begin that such figures have settled, or brought up anew. */
  readonly concerns: (found: Data) => readonly string[];
}

const shown = <Data>(shown: Shown<Data>): Shown<never> => shown as unknown as Shown<never>;
const rowName = ({ program, fix }: CorpusRow) => `${program} ${fix}`;
const ofPrograms = <Row extends { readonly program: string }>(kept: readonly Row[], found: readonly Row[]): Row[] =>
  [...kept.filter(({ program }) => !found.some((row) => row.program === program)), ...found].sort(
    (one, other) => placeOf(one.program) - placeOf(other.program),
  );

/** In the order of the report. */
const evaluations: Readonly<Record<string, Shown<never>>> = {
  corpus: shown<readonly CorpusRow[]>({
    markdown: corpusMarkdown,
    charts: corpusCharts,
    merge: (kept, found) =>
      [...kept.filter((row) => !found.some((one) => rowName(one) === rowName(row))), ...found].sort(inOrder),
    concerns: (found) => found.flatMap((row) => [`${rowName(row)}:`, `${row.program}:`]),
  }),
  synthetic: shown<SyntheticData>({
    markdown: syntheticMarkdown,
    charts: syntheticCharts,
    merge: (kept, found) => {
      const other = ({ name }: { readonly name: string }) => !found.cases.some((one) => one.name === name);
      const cases = [...kept.cases.filter(other), ...found.cases].sort(inTurn);
      return { cases, runs: [...kept.runs.filter(other), ...found.runs] };
    },
    concerns: ({ cases }) => cases.map(({ name }) => `${name}:`),
  }),
  servers: shown<ServersData>({
    markdown: serversMarkdown,
    charts: serversCharts,
    merge: (kept, found) => ({
      runs: ofPrograms(kept.runs, found.runs),
      distributions: ofPrograms(kept.distributions, found.distributions),
      traces: ofPrograms(kept.traces, found.traces),
      ends: ofPrograms(kept.ends, found.ends),
    }),
    concerns: ({ runs }) => runs.flatMap(({ program }) => [`${program}:`, `${program},`]),
  }),
  after: shown<AfterData>({
    markdown: afterMarkdown,
    charts: afterCharts,
    merge: (kept, found) => ({ runs: ofPrograms(kept.runs, found.runs), ends: ofPrograms(kept.ends, found.ends) }),
    concerns: ({ runs }) => runs.map(({ program }) => `${program}:`),
  }),
};

/** As the servers' files have them. */
const inOrder = (one: CorpusRow, other: CorpusRow): number =>
  placeOf(one.program) - placeOf(other.program) || Number(one.fix) - Number(other.fix);

const placeOf = (name: string): number => subjects.findIndex(({ program }) => program.name === name);

/** Cases that vary the same beside each other, the smaller first: charts draw lines through them. */
const inTurn = (one: SyntheticCase, other: SyntheticCase): number =>
  axes.indexOf(one.axis) - axes.indexOf(other.axis) || one.value - other.value;

/** `part`: not everything was run; what was goes among what is kept. */
export async function keepEvaluation(docs: string, name: string, evaluated: Evaluated, part: boolean): Promise<void> {
  const { data, problems, guest } = evaluated;
  const path = join(docs, 'evaluation', `${name}.json`);
  const before = part && (await exists(path)) ? (JSON.parse(await readFile(path, 'utf8')) as Kept) : null;
  const settled = evaluations[name]!.concerns(data as never);
  const other = (problem: string) => !settled.some((beginning) => problem.startsWith(beginning));
  const kept: Kept = {
    schema: 1,
    machine: describeMachine(guest),
    problems: [...(before?.problems.filter(other) ?? []), ...problems],
    results: before ? evaluations[name]!.merge(before.results as never, data as never) : data,
  };
  await mkdir(join(docs, 'evaluation'), { recursive: true });
  await writeFile(path, `${JSON.stringify(kept)}\n`);
  await writeReport(docs);
}

export async function writeReport(docs: string): Promise<void> {
  const sections: Section[] = [];
  for (const [name, { markdown, charts }] of Object.entries(evaluations)) {
    const path = join(docs, 'evaluation', `${name}.json`);
    if (!(await exists(path))) continue;
    const { results, machine, problems } = JSON.parse(await readFile(path, 'utf8')) as Kept;
    const data = results as never;
    const command = `npm run evaluate -- ${name}`;
    sections.push({
      ...{ machine, problems, command, file: `${name}.json` },
      markdown: markdown(data, machine.guest),
      charts: charts(data),
    });
  }
  await writeFile(join(docs, 'evaluation', 'index.html'), pageOf('driftpatch: what wait-free is worth', sections));
  await writeFile(join(docs, 'evaluation.md'), markdownOf(sections));
}

function markdownOf(sections: readonly Section[]): string {
  const parts = sections.map(({ markdown, machine, problems, file }) => {
    const { cpu, cores, memoryMb, system, node, guest } = machine;
    const missing = problems.map((problem) => `- **Not shown:** ${problem}`);
    const where = `${cores} × ${cpu}, ${memoryMb} MiB, ${system}, node ${node}; the guest under ${(guest ?? 'nothing').toUpperCase()}.`;
    return [markdown.trim(), missing.join('\n'), `${where} The figures: [evaluation/${file}](evaluation/${file}).`];
  });
  const head = [
    '# Evaluation',
    'Written by `npm run evaluate`, and not by hand. With charts: [evaluation/index.html](evaluation/index.html).',
  ];
  return `${[...head, ...parts.flat()].filter(Boolean).join('\n\n')}\n`;
}
