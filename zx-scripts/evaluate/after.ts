// SPDX-License-Identifier: MIT
// `npm run evaluate -- after`: is a server that was patched, and folded, as fast as one that was restarted with the new program?

import { join } from 'node:path';
import type { Series } from '../bench/result.js';
import { buildFix } from '../servers/build.js';
import { subjects } from '../servers/subjects.js';
import { ensureKernel, ensureQemu, projectFolder } from '../setup.js';
import { type AfterCase, type AfterEvent, type AfterRun, afterWays } from './after/case.js';
import { type AfterData, afterTable } from './after/table.js';
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
      const [repetitions, seconds] = quick ? [1, 2] : [7, 4];
      const plan = [await prepare(name, context, repetitions, seconds)];
      const runs = () => data.runs.filter((run) => run.program === name).length;
      const total = repetitions * afterWays.length;
      const onEvent = (event: AfterEvent) => {
        if (event.kind === 'run') data.runs.push(event.run);
        if (event.kind === 'end') {
          data.ends.push({ program: event.program, ...event.totals });
          problems.push(...event.problems.map((line) => `${name}: ${line}`));
        }
        shown.onStep({ name: `measure ${name}, patched and restarted`, done: runs(), total, unit: 'times' });
      };
      const part = { kernel, root: { kind: 'host' } as const, script: 'after/guest.js', plan, onEvent };
      const account = await runPart<AfterEvent>({ ...part, timeoutSeconds: 200 + total * 60 }, context);
      problems.push(...account.problems.map((line) => `${name}: ${line}`));
      if (runs() !== total) problems.push(`${name}: expected ${total} measurements, found ${runs()}`);
      guest ??= account.accelerator;
    }
    return { text: afterTable(data), data, series: afterSeries(data.runs), problems, guest };
  },
};

async function prepare(
  name: string,
  { shown }: EvaluationContext,
  repetitions: number,
  seconds: number,
): Promise<AfterCase> {
  const subject = subjects.find(({ program }) => program.name === name)!;
  const index = servedFixes[name]!;
  const fixes = subject.fixes.filter((fix) => fix.index === index);
  const [planned] = await prepareSubject(subject, { project: projectFolder, rounds: 0, fixes, shown });
  if (!planned?.case) throw new Error(`expected a patch for ${name} ${index}, found ${planned?.refusals}`);
  const pair = await buildFix(subject.program, index, { progress: shown.onStep, say: shown.say });
  const newFolder = `${index}-new`;
  await copyFolder(pair.new, join(corpusFolder(projectFolder), name, newFolder));
  const { program, folder, host, patch } = planned.case;
  return { program, folder, newFolder: join(folder, '..', newFolder), host, patch, repetitions, seconds };
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
