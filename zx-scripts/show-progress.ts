// SPDX-License-Identifier: MIT
// Long steps for a person: a bar on a terminal, and on anything else a line per step and per tenth of it. Always on stderr:
// stdout belongs to what was asked for.

import { Presets, SingleBar } from 'cli-progress';
import pc from 'picocolors';
import type { Progress, Step } from '../vm/index.js';

export interface ShownProgress {
  readonly onStep: Progress;
  /** Say a line between the steps, without disturbing a bar. */
  say(line: string): void;
  end(): void;
}

export function showProgress(stream: NodeJS.WriteStream = process.stderr): ShownProgress {
  let bar: SingleBar | null = null;
  let current = '';
  let tenth = -1;
  let began = Date.now();

  const endStep = () => {
    bar?.stop();
    bar = null;
    const seconds = Math.round((Date.now() - began) / 1000);
    if (current && seconds >= 5) stream.write(pc.dim(`  ${current}: done in ${seconds} s\n`));
    current = '';
  };
  const beginStep = (step: Step) => {
    endStep();
    current = step.name;
    tenth = -1;
    began = Date.now();
    const total = step.total ? ` (about ${step.total} ${step.unit ?? ''})` : '';
    stream.write(`${pc.cyan('»')} ${step.name}${total}\n`);
    if (!stream.isTTY || step.done === undefined) return;
    const format = step.total ? '  {bar} {value} of {total} {unit}' : '  {value} {unit}';
    bar = new SingleBar({ format, stream, hideCursor: true, clearOnComplete: true, fps: 5 }, Presets.shades_classic);
    bar.start(step.total ?? 0, 0, { unit: step.unit ?? '' });
  };

  return {
    onStep(step) {
      if (step.name !== current) beginStep(step);
      if (step.done === undefined) return;
      if (bar && step.total) bar.setTotal(step.total);
      bar?.update(step.done, { unit: step.unit ?? '' });
      if (bar || !step.total) return;
      const now = Math.floor((10 * step.done) / step.total);
      if (now > tenth && now > 0) stream.write(pc.dim(`  ${step.done} of ${step.total} ${step.unit ?? ''}\n`));
      tenth = Math.max(tenth, now);
    },
    say(line) {
      endStep();
      stream.write(`${line}\n`);
    },
    end: endStep,
  };
}
