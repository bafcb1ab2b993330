// SPDX-License-Identifier: MIT
// guest: debug
// timeout: 900
// Each part of the kernel's mechanism is needed. A debug kernel can leave it out (a switch in debugfs, mmview/without/), and without it
// the case that stands in its row fails; with it, the case passes. Who adds a switch adds a row: a switch without one fails as well.

import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LostVmError, runInGuest } from '../../vm/index.js';
import { parseTap } from '../tap.js';

interface Row {
  readonly part: string;
  readonly program: string;
  readonly name: string;
  /** Without the part the kernel itself may come to harm: a guest for this row alone, and a complaint or a panic counts as well. */
  readonly ruins?: true;
}

const rows: readonly Row[] = [
  { part: 'dirty', program: 'mirrors', name: 'a write to what MADV_FREE has left is not lost' },
  { part: 'drop', program: 'text', name: 'mprotect to PROT_NONE and back (file)' },
  { part: 'sequence', program: 'mirrors', name: 'mprotect holds for a view that writes meanwhile' },
  { part: 'sequence', program: 'mirrors', name: 'munmap holds for a view that reads meanwhile' },
  { part: 'unlink', program: 'mirrors', name: 'a page table that was freed is not found', ruins: true },
  { part: 'young', program: 'track', name: 'page_idle: what a view touched is not idle' },
  { part: 'young', program: 'track', name: 'smaps: what a view touched anew is Referenced' },
  { part: 'young', program: 'lrugen', name: 'page tables that a view walks past are not left out' },
  { part: 'stack', program: 'guards', name: 'blocked below a guarded function' },
  { part: 'signal', program: 'inside', name: 'in signal handlers, on either stack' },
  { part: 'confirm', program: 'meanwhile', name: 'a signal while the stack is searched' },
  { part: 'unmap', program: 'text', name: 'munmap, then a new mapping (file)' },
  { part: 'again', program: 'moments', name: 'blocked in a guard, and outside for a moment' },
];

const { DRIFTPATCH_BZIMAGE: kernel, DRIFTPATCH_IMAGE: image } = process.env;
if (!kernel || !image) throw new Error('expected DRIFTPATCH_BZIMAGE and DRIFTPATCH_IMAGE to name files; use npm test');

const project = fileURLToPath(new URL('../../../', import.meta.url));
const switches = '/sys/kernel/debug/mmview/without';

/** A row's case, with its part or without. */
interface Step {
  readonly row: Row;
  readonly without: boolean;
}

/** What a guest said that listed the switches and went through these steps. */
async function boot(steps: readonly Step[]) {
  const commands = steps.flatMap(({ row: { part, program, name }, without }) => [
    'echo === step',
    without ? `echo Y >${switches}/${part}` : '',
    `MMVIEW_CASE='${name}' dist/tests/kselftests/${program}`,
    `echo N >${switches}/${part}`,
  ]);
  const script = [`ls ${switches}`, ...commands];
  const root = { kind: 'image', file: image! } as const;
  const result = await runInGuest(['sh', '-c', script.join('\n')], { kernel: kernel!, root, project });
  const [listed, ...outputs] = result.stdout.toString().split('=== step\n');
  return { ...result, listed: listed!.trim().split('\n'), outputs };
}

/** Of the one case that was asked for; a case that fails has more behind its name. */
function verdictOn(row: Row, output: string): string {
  const { cases, problem } = parseTap(output);
  const named = cases.filter(({ name }) => name.startsWith(row.name));
  return problem ?? (named.length === 1 ? named[0]!.verdict : `${named.length} cases of this name`);
}

/** In a guest of its own: 'ok' only if the case passes and the kernel has nothing to complain about. */
async function ruined(row: Row): Promise<string> {
  try {
    const { healthy, complaints, outputs } = await boot([{ row, without: true }]);
    return healthy ? verdictOn(row, outputs[0]!) : complaints[0]!;
  } catch (error) {
    if (error instanceof LostVmError && error.code === 'LOST_PANIC') return 'panic';
    throw error;
  }
}

const without = suite('without');
const steps = rows.flatMap((row) => [{ row, without: false }, ...(row.ruins ? [] : [{ row, without: true }])]);
const together = await boot(steps);

without('every part that can be left out has a row, and every row a part', () => {
  assert.equal(together.listed.toSorted(), [...new Set(rows.map(({ part }) => part))].toSorted());
});

steps.forEach((step, at) => {
  const { part, program, name } = step.row;
  without(`${step.without ? 'without' : 'with'} ${part}: ${program}: ${name}`, () => {
    const output = together.outputs[at] ?? '';
    assert.is(verdictOn(step.row, output), step.without ? 'not ok' : 'ok', output);
  });
});

without('no kernel complains of a part that harms the process alone', () => {
  assert.is(together.healthy, true, together.complaints.join('\n'));
});

for (const row of rows.filter(({ ruins }) => ruins))
  without(`without ${row.part}: ${row.program}: ${row.name}, or the kernel complains`, async () => {
    assert.is.not(await ruined(row), 'ok');
  });

without.run();
