// SPDX-License-Identifier: MIT
// guest: plain
// timeout: 600
// gdb and perf see new code, with what `driftpatch symbols` writes: in a guest with this machine's root, since its own has neither.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runInGuest } from '../../vm/index.js';

const kernel = process.env.DRIFTPATCH_BZIMAGE;
if (!kernel) throw new Error('expected DRIFTPATCH_BZIMAGE to name a file; use npm test');
const project = fileURLToPath(new URL('../../../', import.meta.url));
const fixtures = 'dist/tests/fixtures';

/** A process is patched, one of its threads sleeps below new code, and others run it. */
const script = `
planner=dist/planner/planner.js driftpatch=dist/runtime/driftpatch.js; cd /project; work=$(mktemp -d)
mkfifo $work/in; ${fixtures}/throwers-shared-1 <$work/in >$work/out & pid=$!
exec 5>$work/in
node $planner diff ${fixtures}/throwers-shared-1 ${fixtures}/throwers-shared-2 -o $work/fix.drift >/dev/null 2>&1 || exit 90
node $driftpatch apply $work/fix.drift --pid $pid >/dev/null || exit 91
echo sleep >&5; sleep 1
node $driftpatch symbols --pid $pid --perf --gdb $work/gdb >/dev/null || exit 92
echo === names; node $driftpatch symbols --pid $pid
echo === gdb; gdb -p $pid -batch -x $work/gdb/new-code.gdb -ex 'thread apply all backtrace' 2>&1
echo === without; gdb -p $pid -batch -ex 'thread apply all backtrace' 2>&1
echo === perf; perf record -q -e cpu-clock -F 5000 -o $work/perf -p $pid -- sleep 3 >/dev/null 2>&1; perf report --stdio -i $work/perf --sort dso,symbol 2>/dev/null
echo === end; kill -9 $pid; rm -rf $work /tmp/perf-$pid.map
`;

const has = (command: string) => {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

const newCode = suite('new code');
const missing = ['gdb', 'perf'].filter((command) => !has(command));
if (missing.length > 0) {
  newCode.skip(`what gdb and perf see: install ${missing.join(' and ')}`, () => {});
} else {
  const result = await runInGuest(['sh', '-c', script], {
    kernel,
    root: { kind: 'host' },
    project,
    timeoutSeconds: 500,
  });
  const [names, gdb, without, perf] = result.stdout
    .toString()
    .split(/^=== .*\n/m)
    .slice(1) as [string, string, string, string];
  /** outer() is new; what stands below and above it has its place in the file. */
  const through = /pause.*\n(?:.*\n)?.* inner\b.*\n(?:.*\n)*?.*\bouter\b.*\n.* sleep_below\b/;

  newCode('the names of new functions are listed', () => {
    assert.is(result.status, 0, result.stderr.toString());
    assert.match(names, /0x[0-9a-f]+ +\d+ {2}_Z5outeri\n/);
  });

  newCode('gdb names the new function and goes on to its callers', () => {
    assert.match(gdb, through);
  });

  newCode('gdb does not without the symbol file: the test would fail', () => {
    assert.not.match(without, through);
  });

  newCode('perf names the new function', () => {
    // not the old one, whose first instruction leads to it
    assert.match(perf, /\[JIT\] tid \d+ +\[\.\] (outer\b|_Z5outeri)/);
  });

  newCode('the kernel has nothing to complain about', () => {
    assert.is(result.healthy, true, result.complaints.join('\n'));
  });
}
newCode.run();
