// SPDX-License-Identifier: MIT
// guest: plain
// guest, --long: debug
// timeout: 1800
/** Where there is no memory, an apply says so, the target runs on whole in old or new code, and with room again it is done. */
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { applyAnew, applyWith, checkTruth, countCalls } from '../fault-walk.js';
import { driftpatch, fixture, planner, Workers } from './workers.js';

const folder = mkdtempSync(join(tmpdir(), 'driftpatch-memory-'));
test.after(() => rmSync(folder, { recursive: true }));
const patchTo = (version: number): string => {
  const file = join(folder, `to-${version}.drift`);
  const { status, stderr } = planner('diff', fixture('workers-1'), fixture(`workers-${version}`), '-o', file);
  assert.is(status, 0, stderr);
  return file;
};

const MiB = 1 << 20;
/** `npm test -- --long` takes each system call of an apply and each allocation in it; a quick run some of both. */
const all = process.env.DRIFTPATCH_TESTS === 'long';

test('a target whose memory cgroup is full is refused before it changes, and patched once there is room', async () => {
  const file = patchTo(6);
  const group = `/sys/fs/cgroup/driftpatch-${process.pid}`;
  const ofGroup = (name: string) => readFileSync(join(group, name), 'utf8');
  writeFileSync('/sys/fs/cgroup/cgroup.subtree_control', '+memory');
  mkdirSync(group);
  const workers = await Workers.start(1, ['sh', '-c', `echo $$ > ${group}/cgroup.procs && exec "$0"`]);
  try {
    // The patch brings 2 MiB of data.
    writeFileSync(join(group, 'memory.max'), String(Number(ofGroup('memory.current')) + MiB));
    const arenas = workers.arenas();
    const refused = driftpatch('apply', file, '--pid', String(workers.pid), '--json');
    assert.is(refused.status, 4, refused.stderr);
    assert.equal(
      JSON.parse(refused.stdout).refusals.map(({ code }: { code: string }) => code),
      ['NO_MEMORY'],
    );
    assert.match(refused.stderr, /memory cgroup/);
    await checkTruth(workers, refused.stderr);
    assert.match(ofGroup('memory.events'), /^oom_kill 0$/m);
    assert.equal(workers.arenas(), arenas);

    writeFileSync(join(group, 'memory.max'), 'max');
    const applied = driftpatch('apply', file, '--pid', String(workers.pid));
    assert.is(applied.status, 0, applied.stderr);
    const { whole } = await workers.until(({ threads }) =>
      threads.filter(({ name }) => /spinner|sleeper/.test(name)).every(({ answer }) => answer > 600),
    );
    assert.ok(whole);
  } finally {
    await workers.ended();
    rmdirSync(group);
  }
});

/** The debug kernel can make any one allocation fail. */
if (process.env.DRIFTPATCH_KERNEL === 'debug')
  test('any system call of an apply may find no memory', async () => {
    const file = patchTo(2);
    for (const [knob, value] of [
      ['failslab/ignore-gfp-wait', 'N'],
      ['fail_page_alloc/ignore-gfp-wait', 'N'],
      ['fail_page_alloc/ignore-gfp-highmem', 'N'],
      ['fail_page_alloc/min-order', '0'],
      ['failslab/verbose', '0'],
      ['fail_page_alloc/verbose', '0'],
    ] as const)
      writeFileSync(`/sys/kernel/debug/${knob}`, value);
    const total = await countCalls('wait-free', file, () => Workers.start(1));
    let failures = 0;
    for (let at = 1; at <= total; at += all ? 1 : Math.ceil(total / 6))
      for (let nth = 1; ; nth = all ? nth + 1 : nth * 5) {
        const workers = await Workers.start(1);
        try {
          const ran = applyWith(at, 'fail-nth', 'wait-free', file, workers.pid, { AT_CALL_NTH: String(nth) });
          const said = `allocation ${nth} in call ${at} of ${total}: ${ran.status ?? ran.signal} ${ran.stderr}`;
          if (!/an allocation has failed/.test(ran.stderr)) break;
          failures++;
          assert.ok(ran.status === 0 || (ran.status === 4 && /no memory/.test(ran.stderr)), said);
          await checkTruth(workers, said);
          await applyAnew(workers, 'wait-free', file, said);
        } finally {
          workers.stop();
        }
      }
    assert.ok(failures > 2, `expected allocations in several calls, found ${failures} that failed`);
  });

test.run();
