// SPDX-License-Identifier: MIT
// timeout: 300
/**
 * Patch files that somebody has changed, with a hash that fits again, against a live process: up to the moment at which it would come to
 * run something else, each is an error of ours or an arena that is given back, and the process does not notice.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { apply, RuntimeError } from '../../runtime/index.js';
import { planner, Workers } from '../guest/workers.js';
import { damagedPatch } from '../planner/fuzz/patches.js';
import { randomOf } from '../planner/fuzz/random.js';
import { fixtureSource, Workshop } from './live.js';

const CASES = 1000;
const SEED = 5;

const workshop = new Workshop();
test.after(() => workshop.clear());
const compile = (version: number) =>
  workshop.compile(`workers-${version}`, fixtureSource('workers.c'), '-O2', '-pthread', `-DVERSION=${version}`);

class Enough extends Error {}

test('hostile patch files do a live process no harm', async () => {
  const program = compile(1);
  const files = [2, 3].map((version) => {
    const file = join(workshop.folder, `to-${version}.drift`);
    assert.is(planner('diff', program, compile(version), '-o', file).status, 0);
    return readFileSync(file);
  });
  const workers = await Workers.startFile(program);
  const maps = () => readFileSync(`/proc/${workers.pid}/maps`, 'utf8').match(/ r-xp 00000000 00:00 0 *(\[anon.*)?$/gm);
  const ends = new Map<string, number>();
  try {
    for (let i = 0; i < CASES; i++) {
      const bytes = damagedPatch(randomOf(SEED, i), files[i % 2]!, files[(i + 1) % 2]!);
      const end = await endOf(bytes, workers.pid);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    const { threads, whole } = await workers.report();
    assert.ok(whole && threads.every(({ answer }) => answer === 1));
    assert.is(maps(), null);
  } finally {
    workers.stop();
  }
  console.log(`figure: ${[...ends].map(([end, count]) => `${end} ${count}`).join(', ')}`);
  // the cases reach all the way
  assert.ok(ends.has('PATCH_UNUSABLE') && ends.has('enough') && ends.size >= 3, [...ends.keys()].join(' '));
});

async function endOf(bytes: Uint8Array, pid: number): Promise<string> {
  try {
    await apply(bytes, {
      pid,
      mode: 'stop',
      onEvent: (event) => {
        if (event.kind === 'step' && event.step === 'migrate') throw new Enough();
      },
    });
    return assert.unreachable('it went all the way') as never;
  } catch (error) {
    if (error instanceof Enough) return 'enough';
    if (error instanceof RuntimeError) return error.code;
    throw error;
  }
}

test.run();
