// SPDX-License-Identifier: MIT
// A part of an evaluation in the guest: it gets a plan, tells events, and everything that is wrong with the guest itself is a problem.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GuestResult, type GuestRoot, LostVmError, runInGuest } from '../../vm/index.js';
import { jsonLines } from '../json-lines.js';
import { projectFolder } from '../setup.js';
import type { EvaluationContext } from './evaluation.js';

export interface GuestPart<Event> {
  readonly kernel: string;
  readonly root: GuestRoot;
  /** Below dist/zx-scripts/evaluate/; gets the plan's file as its argument. */
  readonly script: string;
  readonly plan: unknown;
  readonly timeoutSeconds: number;
  readonly onEvent: (event: Event) => void;
}

export interface GuestAccount {
  readonly problems: readonly string[];
  readonly accelerator: GuestResult['accelerator'] | null;
}

export async function runPart<Event>(part: GuestPart<Event>, { signal }: EvaluationContext): Promise<GuestAccount> {
  const share = await mkdtemp(join(tmpdir(), 'driftpatch-evaluate-'));
  let errors = '';
  try {
    await writeFile(join(share, 'plan.json'), JSON.stringify(part.plan));
    const words = ['node', `/project/dist/zx-scripts/evaluate/${part.script}`, '/mnt/share/plan.json'];
    const { status, complaints, leakedViews, accelerator } = await runInGuest(words, {
      kernel: part.kernel,
      root: part.root,
      project: projectFolder,
      share,
      memory: '3G',
      timeoutSeconds: part.timeoutSeconds,
      signal,
      onStdout: jsonLines(part.onEvent),
      onStderr: (bytes) => {
        errors += bytes.toString();
      },
    });
    const problems = [
      ...(status === 0 ? [] : [`expected the guest's part to end with status 0, found ${status}: ${errors.trimEnd()}`]),
      ...complaints.map((line) => `expected nothing from the guest's kernel, found: ${line}`),
      ...(leakedViews === 0 ? [] : [`expected no view left at the end, found ${leakedViews}`]),
    ];
    return { problems, accelerator };
  } catch (error) {
    if (!(error instanceof LostVmError)) throw error;
    return { problems: [error.message], accelerator: null };
  } finally {
    await rm(share, { recursive: true, force: true });
  }
}
