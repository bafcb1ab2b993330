// SPDX-License-Identifier: MIT
/**
 * A driftpatch that has no file descriptor left cannot look at a process. It says so: that process has not ended for that, is not left
 * out, and is not left stopped.
 */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Workshop } from './live.js';

const workshop = new Workshop();
test.after(() => workshop.clear());

const runtime = new URL('../../runtime/', import.meta.url);

/** What `body` prints, a module in a process of its own that may have few files open; `spent()` takes all that are left. */
function withFew(body: string): string {
  const script = `
    import { closeSync, openSync, readFileSync } from 'node:fs';
    import { Process } from '${runtime}proc/process.js';
    import { findTargets, isStill } from '${runtime}targets.js';
    import { stopOne } from '${runtime}ptrace/stop-all.js';
    const taken = [];
    const spent = () => { try { for (;;) taken.push(openSync('/dev/null')); } catch {} };
    const errno = (action) => { try { return action(); } catch ({ code, facts }) { return code + ' ' + facts?.errno; } };
    ${body}`;
  const { stdout, stderr } = spawnSync(
    'sh',
    ['-c', 'ulimit -n 60; exec "$0" --input-type=module -e "$1"', process.execPath, script],
    { encoding: 'utf8', timeout: 30_000 },
  );
  assert.ok(stdout.length > 0, stderr);
  return stdout;
}

test('a process that cannot be looked at has not ended for that, and is not left out', async () => {
  const idle = workshop.compile(
    'idle',
    '#include <stdio.h>\n#include <unistd.h>\nint main(void) { puts("ready"); fflush(stdout); for (;;) pause(); }',
  );
  const { pid } = await workshop.run(idle);
  const said = withFew(`
    const process = Process.open(${pid});
    const target = { pid: ${pid}, name: process.name, startTime: process.startTime };
    process.close();
    const everybody = () => true;
    spent();
    console.log(errno(() => Process.open(${pid})));
    console.log(isStill(target, everybody));
    closeSync(taken.pop()); // for the list of /proc
    console.log(errno(() => findTargets({ all: true }, everybody)));`);
  assert.equal(said.trimEnd().split('\n'), ['KERNEL_REFUSED EMFILE', 'true', 'KERNEL_REFUSED EMFILE']);
});

test('a thread that does not stop at once is let go when it cannot be looked at', async () => {
  const parent = workshop.compile(
    'vforks',
    `
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(void)
{
	puts("ready");
	fflush(stdout);
	if (vfork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	for (;;)
		pause();
}
`,
  );
  const { pid } = await workshop.run(parent);
  const said = withFew(`
    const child = Number(readFileSync('/proc/${pid}/task/${pid}/children', 'utf8'));
    const status = (name) => new RegExp(name + ':\\\\s*(\\\\S)').exec(readFileSync('/proc/${pid}/status', 'utf8'))[1];
    Process.open(${pid}).close();
    spent();
    console.log(errno(() => stopOne(${pid}, ${pid})));
    closeSync(taken.pop());
    process.kill(child);
    for (let left = 200; left > 0 && status('TracerPid') !== '0'; left--) await new Promise((done) => setTimeout(done, 20));
    console.log(status('TracerPid'));`);
  assert.equal(said.trimEnd().split('\n'), ['KERNEL_REFUSED EMFILE', '0']);
});

test.run();
