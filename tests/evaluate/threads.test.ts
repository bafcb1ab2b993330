// SPDX-License-Identifier: MIT
/** The program made for the synthetic evaluation: what its threads tell is whole, whenever the phase changes. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ThreadsProgram } from '../../zx-scripts/evaluate/synthetic/program.js';

const source = fileURLToPath(new URL('../../../zx-scripts/evaluate/synthetic/threads.c', import.meta.url));

test('a thread that runs all the time tells what each phase took, even where one ends between two of its rounds', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'driftpatch-threads-'));
  const program = join(folder, 'threads');
  execFileSync('gcc', ['-O2', '-pthread', '-o', program, source]);
  const threads = await ThreadsProgram.start(program, {
    threads: 2,
    kinds: 'spin,sleep',
    hold: 0,
    memory: 0,
    mappings: 0,
  });
  try {
    const begun = async (phase: number) => {
      await threads.phase(phase);
      while ((await threads.account()).phases[phase]!.fewest < 3);
    };
    for (let i = 0; i < 500; i++) {
      await begun(1);
      await begun(2);
      const { operation } = (await threads.account()).phases[1]!;
      assert.ok(Number.isFinite(operation), `change ${i}: expected the processor time of a round, found ${operation}`);
    }
  } finally {
    await threads.stop();
    rmSync(folder, { recursive: true });
  }
});

test.run();
