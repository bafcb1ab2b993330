// SPDX-License-Identifier: MIT
// guest: plain
// timeout: 300
// The runner itself, from the host: output byte for byte, statuses, and every way in which a guest can fail to be a pass.
// The kernel and the root come from whoever runs this suite, who has built them.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type GuestOptions, LostVmError, runInGuest, VmError } from '../../vm/index.js';

const { DRIFTPATCH_BZIMAGE: kernel, DRIFTPATCH_IMAGE: image } = process.env;
if (!kernel || !image) throw new Error('expected DRIFTPATCH_BZIMAGE and DRIFTPATCH_IMAGE to name files; use npm test');

const project = fileURLToPath(new URL('../../../', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'driftpatch-runner-'));
test.after(() => rmSync(scratch, { recursive: true }));

const run = (command: string[], options: Partial<GuestOptions> = {}) =>
  runInGuest(command, { kernel, root: { kind: 'image', file: image }, project, timeoutSeconds: 60, ...options });
const sh = (script: string, options?: Partial<GuestOptions>) => run(['sh', '-c', script], options);
const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('driftpatch-vm-'));

test('bytes come back as they are, on both streams, with the command’s own status', async () => {
  const bytes = randomBytes(1_000_000);
  writeFileSync(join(scratch, 'bytes'), bytes);
  const before = leftovers();
  const result = await sh('cat /mnt/share/bytes; echo from >/dev/stderr; cp /mnt/share/bytes /mnt/share/copy; exit 7', {
    share: scratch,
  });
  assert.is(result.status, 7);
  assert.is(result.healthy, true, result.complaints.join('\n'));
  assert.ok(result.stdout.equals(bytes));
  assert.is(result.stderr.toString(), 'from\n');
  assert.ok(readFileSync(join(scratch, 'copy')).equals(bytes));
  assert.equal(leftovers(), before);
});

test('output comes while the command runs, and what it leaves running does not hold the guest up', async () => {
  const times: number[] = [];
  const result = await sh('echo one; sleep 2; echo two; sleep 1000 &', { onStdout: () => void times.push(Date.now()) });
  assert.is(result.status, 0);
  assert.ok(times.length >= 2 && times.at(-1)! - times[0]! > 1000);
});

test('with the host’s root, what the guest writes stays in the guest', async () => {
  const name = `/root/driftpatch-${process.pid}`;
  const result = await sh(`echo x >${name} && cat ${name} && id -u`, { root: { kind: 'host' } });
  assert.is(result.stdout.toString(), 'x\n0\n', result.stderr.toString());
  assert.throws(() => readFileSync(name), /ENOENT/);
});

test('a kernel that complains is not healthy, whatever the command’s status', async () => {
  const result = await sh('echo "<4>WARNING: possible trouble" >/dev/kmsg');
  assert.is(result.status, 0);
  assert.is(result.healthy, false);
  assert.match(result.complaints.join('\n'), 'possible trouble');
});

test('a guest that dies is lost, and says how', async () => {
  const error = await sh('kill -9 1; perl -e "syscall(169, 0xfee1dead, 0x28121969, 0x01234567)"').catch(
    (caught) => caught,
  );
  assert.instance(error, LostVmError);
  assert.is(error.code, 'LOST_SILENT');
});

test('a guest whose init is gone has panicked', async () => {
  const error = await sh('true', { append: 'rdinit=/none root=/dev/none' }).catch((caught) => caught);
  assert.instance(error, LostVmError);
  assert.is(error.code, 'LOST_PANIC');
  assert.match(error.consoleTail, 'Kernel panic');
});

test('a guest that hangs is lost when its time is over, and nothing is left', async () => {
  const before = leftovers();
  const error = await run(['sleep', '1000'], { timeoutSeconds: 6 }).catch((caught) => caught);
  assert.instance(error, LostVmError);
  assert.is(error.code, 'LOST_TIMEOUT');
  assert.equal(leftovers(), before);
});

test('a guest can be cancelled', async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort('the test says so'), 1500);
  const error = await run(['sleep', '1000'], { signal: abort.signal }).catch((caught) => caught);
  assert.instance(error, VmError);
  assert.is(error.code, 'CANCELLED');
});

test.run();
