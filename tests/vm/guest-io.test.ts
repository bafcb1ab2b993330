// SPDX-License-Identifier: MIT
// What goes into the guest and what comes out of it is not mangled: words through a shell, bytes through a growing file, and
// QEMU's own notation of a path.

import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FileTail } from '../../vm/file-tail.js';
import { commandScript, initScript } from '../../vm/guest-init.js';
import { type Machine, qemuArguments } from '../../vm/qemu.js';

const sh = (script: string) => execFileSync('sh', ['-c', script]).toString();

test('a command’s words arrive as they are', () => {
  const words = ['a b', "it's", '$HOME `x` "q"', '', '*', 'a\nb', '\\'];
  const out = sh(commandScript(['printf', '%s\\0', ...words], { NAME: "v'1" }));
  assert.equal(out.split('\0').slice(0, -1), words);
  assert.is(sh(commandScript(['sh', '-c', 'printf %s "$NAME"'], { NAME: "v'1" })), "v'1");
});

test('the init script is a shell script in each of its forms', () => {
  for (const hostRoot of [true, false])
    for (const share of [true, false])
      for (const interactive of [true, false]) {
        const script = initScript({ token: 't', hostRoot, share, interactive });
        execFileSync('sh', ['-n'], { input: script });
        assert.is(script.includes('/mnt/share'), share);
      }
});

test('a growing file is read once, byte for byte', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'driftpatch-tail-'));
  const path = join(folder, 'file');
  writeFileSync(path, '');
  const tail = new FileTail(path);
  const parts = [Buffer.from([0, 255, 10, 13]), Buffer.alloc(200_000, 7), Buffer.from('end')];
  for (const part of parts) {
    appendFileSync(path, part);
    void tail.drain();
    await tail.drain();
  }
  await tail.close();
  assert.ok(tail.collected().equals(Buffer.concat(parts)));
  rmSync(folder, { recursive: true });
});

const machine: Machine = {
  kernel: '/k',
  root: { kind: 'image', file: '/a,b.ext4' },
  accelerator: 'tcg',
  counted: false,
  cpus: 2,
  memory: '1G',
  shares: [{ tag: 'share', folder: '/x,readonly=off', readonly: true }],
  append: '',
};

test('a comma in a path does not end it for QEMU', () => {
  const args = qemuArguments(machine, 'pipe');
  assert.ok(args.some((arg) => arg.startsWith('file=/a,,b.ext4,')));
  assert.ok(args.some((arg) => arg.includes('path=/x,,readonly=off,') && arg.endsWith('readonly=on')));
});

test('a guest whose instructions are counted has one emulating thread, and any other has several', () => {
  const accelerators = (args: string[]) => args.filter((_, at) => args[at - 1] === '-accel');
  assert.equal(accelerators(qemuArguments({ ...machine, counted: true }, 'pipe')), ['tcg,thread=single']);
  assert.ok(qemuArguments({ ...machine, counted: true }, 'pipe').includes('-icount'));
  assert.equal(accelerators(qemuArguments(machine, 'pipe')), ['tcg,thread=multi']);
  assert.not.ok(qemuArguments(machine, 'pipe').includes('-icount'));
});

test.run();
