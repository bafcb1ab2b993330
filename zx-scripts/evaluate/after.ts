// SPDX-License-Identifier: MIT
// `npm run evaluate -- after`: is a server that was patched, and folded, as fast as one that was restarted with the new program?

import { join } from 'node:path';
import type { Series } from '../bench/result.js';
import { buildFix } from '../servers/build.js';
import { subjectNamed } from '../servers/subjects.js';
import { ensureKernel, ensureQemu, projectFolder } from '../setup.js';
import type { ShownProgress } from '../show-progress.js';
import { type AfterCase, type AfterEvent, type AfterRun, afterWays } from './after/case.js';
import { type AfterData, afterTable } from './after/table.js';
import type { Case } from './corpus/case.js';
import { copyFolder, corpusFolder, prepareSubject } from './corpus/prepare.js';
import type { Evaluated, Evaluation, EvaluationContext } from './evaluation.js';
import { runPart } from './in-guest.js';
import { servedFixes } from './servers.js';

export const after: Evaluation = {
  about: 'what a server can do that was patched, by one that was restarted',
  async run(context): Promise<Evaluated> {
    const { shown, quick, only } = context;
    await ensureQemu(shown);
    const kernel = context.bzImage ?? (await ensureKernel('plain', shown)).bzImage;
    const names = Object.keys(servedFixes).filter((name) => !quick || name === 'memcached');
    const data: AfterData = { runs: [], ends: [] };
    const problems: string[] = [];
    let guest: Evaluated['guest'] = null;
    for (const name of names.filter((one) => only.length === 0 || only.includes(one))) {
      const measured = quick ? { repetitions: 1, seconds: 2 } : { repetitions: 5, seconds: 3 };
      const plan = [await prepare(name, measured, context)];
      const runs = () => data.runs.filter((run) => run.program === name).length;
      const total = measured.repetitions * afterWays.length;
      const onEvent = (event: AfterEvent) => {
        if (event.kind === 'run') data.runs.push(event.run);
        if (event.kind === 'end') {
          data.ends.push({ program: event.program, ...event.totals });
          problems.push(...event.problems.map((line) => `${name}: ${line}`));
        }
        shown.onStep({ name: `measure ${name}, patched and restarted`, done: runs(), total, unit: 'times' });
      };
      const part = { kernel, root: { kind: 'host' } as const, script: 'after/guest.js', plan, onEvent };
      const account = await runPart<AfterEvent>({ ...part, timeoutSeconds: 900 + total * 120 }, context);
      problems.push(...account.problems.map((line) => `${name}: ${line}`));
      if (runs() !== total) problems.push(`${name}: expected ${total} measurements, found ${runs()}`);
      guest ??= account.accelerator;
    }
    return { text: afterTable(data), data, series: afterSeries(data.runs), problems, guest };
  },
};

async function prepare(name: string, measured: Measured, { shown }: EvaluationContext): Promise<AfterCase> {
  const subject = subjectNamed(name);
  const index = servedFixes[name]!;
  const fixes = subject.fixes.filter((fix) => fix.index === index);
  const [planned] = await prepareSubject(subject, { project: projectFolder, rounds: 0, fixes, shown });
  if (!planned?.case) throw new Error(`expected a patch for ${name} ${index}, found ${planned?.refusals}`);
  return await prepareAfter(planned.case, measured, shown);
}

type Measured = Pick<AfterCase, 'repetitions' | 'seconds'>;

/** The new program as well, where the guest sees it. */
export async function prepareAfter(job: Case, measured: Measured, shown: ShownProgress): Promise<AfterCase> {
  const { program, fix, folder, host, patch } = job;
  const pair = await buildFix(subjectNamed(program).program, fix, { progress: shown.onStep, say: shown.say });
  const newFolder = `${fix}-new`;
  await copyFolder(pair.new, join(corpusFolder(projectFolder), program, newFolder));
  return { program, folder, newFolder: join(folder, '..', newFolder), host, patch, ...measured };
}

/** Of each way, against the restarted one of the same repetition. */
export function afterSeries(runs: readonly AfterRun[]): Series[] {
  const programs = [...new Set(runs.map(({ program }) => program))];
  return programs.flatMap((program) =>
    (['perSecond', 'cpuUs', 'privateKiB'] as const).flatMap((which) =>
      afterWays.flatMap((way): Series[] => {
        const these = runs.filter((run) => run.program === program && run.way === way);
        const values = [...these].sort((one, other) => one.repetition - other.repetition).map((run) => run[which]);
        const unit = which === 'perSecond' ? '1/s' : which === 'cpuUs' ? 'us' : 'KiB';
        const base = `${program}/${which}/restarted`;
        const name = `${program}/${which}/${way}`;
        return values.length ? [{ name, unit, values, ...(way !== 'restarted' && { against: base }) }] : [];
      }),
    ),
  );
}
