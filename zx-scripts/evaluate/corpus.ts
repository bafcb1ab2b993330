// SPDX-License-Identifier: MIT
// `npm run evaluate -- corpus`: real fixes of real servers, from Debian's source packages. Each is applied to its running server under
// load, checked to be in effect, reverted, and applied again, over and over, in the guest. What must be refused is refused.

import type { Series } from '../bench/result.js';
import type { Fix, Subject } from '../servers/subject.js';
import { subjects } from '../servers/subjects.js';
import { ensureKernel, ensureQemu, projectFolder } from '../setup.js';
import type { Case, CaseResult, CorpusEvent } from './corpus/case.js';
import { type Planned, prepareSubject } from './corpus/prepare.js';
import { corpusTable } from './corpus/table.js';
import type { Evaluated, Evaluation, EvaluationContext } from './evaluation.js';
import { type GuestAccount, runPart } from './in-guest.js';

export interface CorpusRow extends Planned {
  /** Null if there is no patch, or if it did not come to an end. */
  readonly result: CaseResult | null;
}

const rounds = { usual: 10, quick: 2 };
/** One fix each. */
const quickly: Readonly<Record<string, string>> = { memcached: '007', redis: '016' };

export const corpus: Evaluation = {
  about: 'real fixes on real servers under load, applied and reverted ten times over',
  async run(context): Promise<Evaluated> {
    const { shown, quick } = context;
    await ensureQemu(shown);
    const kernel = context.bzImage ?? (await ensureKernel('plain', shown)).bzImage;
    const rows: CorpusRow[] = [];
    const problems: string[] = [];
    let guest: GuestAccount['accelerator'] = null;
    for (const subject of subjects) {
      const fixes = chosen(subject, context);
      if (fixes.length === 0) continue;
      const options = { project: projectFolder, rounds: quick ? rounds.quick : rounds.usual, fixes, shown };
      const planned = await prepareSubject(subject, options);
      problems.push(...planned.flatMap((one) => one.problems));
      const cases = planned.flatMap((one) => one.case ?? []);
      const run = cases.length > 0 ? await inGuest(kernel, cases, context) : null;
      guest ??= run?.accelerator ?? null;
      problems.push(...(run?.problems ?? []));
      for (const one of planned) {
        const result = run?.results.find(({ fix }) => fix === one.fix) ?? null;
        const title = `${one.program} ${one.fix}`;
        if (one.case && !result) problems.push(`${title}: expected an account of it, found none`);
        problems.push(...(result?.problems ?? []).map((problem) => `${title}: ${problem}`));
        rows.push({ ...one, result });
      }
    }
    shown.end();
    return { text: corpusTable(rows), data: rows, series: corpusSeries(rows), problems, guest };
  },
};

export const corpusSeries = (rows: readonly CorpusRow[]): Series[] =>
  rows.flatMap(({ program, fix, result }) =>
    result && result.transitions.length > 0 && result.held.length > 0
      ? [
          { name: `${program}/${fix}/transition`, unit: 'us', values: result.transitions },
          { name: `${program}/${fix}/longest-request-by-the-one-before`, unit: 'x', values: result.held },
        ]
      : [],
  );

function chosen(subject: Subject, { quick, only }: EvaluationContext): readonly Fix[] {
  const { name } = subject.program;
  const fixes = subject.fixes.filter(
    ({ index }) => only.length === 0 || only.some((word) => `${name} ${index}`.includes(word)),
  );
  return quick && only.length === 0 ? fixes.filter(({ index }) => quickly[name] === index) : fixes;
}

interface GuestRun extends GuestAccount {
  readonly results: readonly CaseResult[];
}

/** All cases of a program in one boot, so that a complaint of the kernel is that program's. */
async function inGuest(kernel: string, cases: readonly Case[], context: EvaluationContext): Promise<GuestRun> {
  const program = cases[0]!.program;
  const results: CaseResult[] = [];
  const onEvent = (event: CorpusEvent) => {
    if (event.kind === 'end') results.push(event.result);
    if (event.kind === 'begin') context.shown.onStep({ name: `start ${program}, and load, for ${event.fix}` });
    if (event.kind !== 'round') return;
    const total = cases.find(({ fix }) => fix === event.fix)!.rounds;
    context.shown.onStep({ name: `${program} ${event.fix} in the guest`, done: event.round, total, unit: 'rounds' });
  };
  const timeoutSeconds = 600 + cases.reduce((sum, { rounds }) => sum + 200 + rounds * 60, 0);
  const root = { kind: 'host' } as const; // what the servers and their libraries need is installed there
  const part = { kernel, root, script: 'corpus/guest.js', plan: cases, timeoutSeconds, onEvent };
  context.shown.onStep({ name: `boot for ${program}` });
  const { problems, accelerator } = await runPart<CorpusEvent>(part, context);
  return { results, problems: problems.map((line) => `${program}: ${line}`), accelerator };
}
