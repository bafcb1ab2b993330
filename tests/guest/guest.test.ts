// SPDX-License-Identifier: MIT
// guest: plain debug
// The guest is what its commands may rely on.

import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { availableParallelism, hostname } from 'node:os';
import { text } from 'node:stream/consumers';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

test('the command is root, in /project, with a home and a path', () => {
  assert.is(process.getuid?.(), 0);
  assert.is(process.env.HOME, '/root');
  assert.match(process.env.PATH ?? '', '/usr/sbin');
  assert.is(hostname(), 'driftpatch');
});

test('the checkout is read-only', () => {
  assert.throws(() => writeFileSync('/project/never', ''), /EROFS/);
});

test('the kernel is ours, with the processors asked for', () => {
  assert.match(readFileSync('/proc/version', 'utf8'), /^Linux version 6\.12\./);
  assert.ok(statSync('/sys/kernel/debug/mmview').isDirectory());
  assert.is(availableParallelism(), 2);
});

test('the loopback interface is up', async () => {
  const server = createServer((socket) => socket.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const heard = await text(connect(port, '127.0.0.1'));
  server.close();
  assert.is(heard, 'hello');
});

test('devices, pipes and memory files are where programs look for them', () => {
  const script =
    'test -c /dev/null && test -e /dev/fd/0 && test -d /dev/pts && : >/dev/shm/x && : >/tmp/x && : >/run/x';
  execFileSync('sh', ['-c', script]);
});

test.run();
