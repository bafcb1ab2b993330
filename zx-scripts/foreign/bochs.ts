// SPDX-License-Identifier: MIT
// The selftests on a processor with PCID, which QEMU cannot emulate and Debian's bochs can: the guest's kernel and an initramfs
// with static selftests on a CD image, its console in a file, with page-table isolation and without. One processor; its
// clock counts instructions, so time-outs are fair.
//
// It refuses to call a run good in which the processor had no PCID, isolation was not as asked for, or a program has no
// result. What the kernel says before its first program is about bochs' tables, and is not looked at.

import { spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exec, findComplaints } from '../../vm/index.js';
import { kernelTree } from '../setup.js';
import type { ShownProgress } from '../show-progress.js';
import { ensurePackages, forBochs } from '../system-packages.js';

const programs = ['basic', 'text', 'fold', 'life', 'stress'] as const;
const words: Partial<Record<string, string>> = { stress: '-t 10 -n 4 -d /tmp -s 1' };
const limitMs = 40 * 60_000;

export interface BochsRun {
  readonly pti: boolean;
  /** Cases that passed, per program. */
  readonly passed: Readonly<Record<string, number>>;
  /** Why the run is not good. Empty is what is wanted. */
  readonly problems: readonly string[];
  readonly console: string;
}

export async function runBochs(
  kernel: string,
  pti: boolean,
  shown: ShownProgress,
  signal: AbortSignal,
): Promise<BochsRun> {
  await ensurePackages(forBochs, shown.say);
  const home = await mkdtemp(join(tmpdir(), 'driftpatch-bochs-'));
  try {
    shown.onStep({ name: 'make a CD with the kernel and the selftests' });
    await makeImage(home, kernel, pti);
    shown.onStep({ name: `run the selftests under bochs, page-table isolation ${pti ? 'on' : 'off'}` });
    const console = await boot(home, signal);
    shown.end();
    return judge(console, pti);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function makeImage(home: string, kernel: string, pti: boolean): Promise<void> {
  const root = join(home, 'root');
  const cd = join(home, 'cd');
  for (const folder of ['bin', 'proc', 'sys', 'dev', 'tmp', 't']) await mkdir(join(root, folder), { recursive: true });
  await mkdir(join(cd, 'isolinux'), { recursive: true });
  await copyFile('/bin/busybox', join(root, 'bin/busybox'));
  for (const name of ['sh', 'mount', 'grep', 'sleep', 'poweroff']) await symlink('busybox', join(root, 'bin', name));
  const selftests = join(kernelTree, 'tools/testing/selftests/mmview');
  const targets = programs.map((name) => join(root, 't', name));
  await exec('make', ['-s', '-C', selftests, `OUT=${join(root, 't')}`, 'LDFLAGS=-static -s', ...targets]);
  await writeFile(join(root, 'init'), initScript, { mode: 0o755 });
  await exec('sh', ['-c', `cd ${root} && find . | cpio --quiet -o -H newc | gzip >${cd}/initrd.gz`]);

  await copyFile(kernel, join(cd, 'bzimage'));
  await copyFile('/usr/lib/ISOLINUX/isolinux.bin', join(cd, 'isolinux/isolinux.bin'));
  await copyFile('/usr/lib/syslinux/modules/bios/ldlinux.c32', join(cd, 'isolinux/ldlinux.c32'));
  const append = `initrd=/initrd.gz console=ttyS0 ignore_loglevel panic=-1 random.trust_cpu=on lpj=4000000 pti=${pti ? 'on' : 'off'}`;
  await writeFile(
    join(cd, 'isolinux/isolinux.cfg'),
    `default k\nprompt 0\nlabel k\n kernel /bzimage\n append ${append}\n`,
  );
  const boot = ['-b', 'isolinux/isolinux.bin', '-c', 'isolinux/boot.cat', '-no-emul-boot', '-boot-info-table'];
  await exec('xorriso', ['-as', 'mkisofs', '-quiet', '-o', join(home, 'cd.iso'), ...boot, '-boot-load-size', '4', cd]);
}

const initScript = `#!/bin/sh
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp; mount -t debugfs debugfs /sys/kernel/debug
has() { grep -m1 '^flags' /proc/cpuinfo | grep -c -w $1; }
echo "driftpatch: pcid $(has pcid) pti $(has pti)"
${programs.map((name) => `echo "driftpatch: begin ${name}"; /t/${name} ${words[name] ?? ''}; echo "driftpatch: ${name} status $?"`).join('\n')}
echo "driftpatch: done"
sleep 1
poweroff -f
`;

/** To its end; gives what the serial line said. bochs wants a terminal (script(1) has one) and a word to its debugger. */
async function boot(home: string, signal: AbortSignal): Promise<string> {
  const serial = join(home, 'serial');
  const settings = [
    'config_interface: textconfig',
    'display_library: term',
    'memory: guest=256, host=256',
    'romimage: file=/usr/share/bochs/BIOS-bochs-latest',
    'vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest',
    'cpu: model=corei7_haswell_4770, count=1, ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=1',
    'clock: sync=none',
    'ata0: enabled=1',
    `ata0-master: type=cdrom, path=${home}/cd.iso, status=inserted`,
    'boot: cdrom',
    `com1: enabled=1, mode=file, dev=${serial}`,
    `log: ${home}/log`,
    'panic: action=fatal',
    'error: action=ignore',
    'info: action=ignore',
  ];
  await writeFile(join(home, 'rc'), `${settings.join('\n')}\n`);
  await writeFile(join(home, 'go'), 'c\n');
  const command = `exec bochs -q -f ${home}/rc -rc ${home}/go`;
  const stop = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
  await runUntil(['setpriv', '--pdeathsig', 'TERM', '--', 'script', '-qec', command, '/dev/null'], stop);
  signal.throwIfAborted();
  return (await readFile(serial, 'utf8').catch(() => '')).replaceAll('\r', '');
}

async function runUntil([file, ...args]: string[], stop: AbortSignal): Promise<void> {
  const child = spawn(file!, args, { stdio: ['ignore', 'ignore', 'ignore'] });
  const kill = () => void child.kill('SIGTERM');
  stop.addEventListener('abort', kill);
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve());
  });
  stop.removeEventListener('abort', kill);
}

/** What a console shows of a run. */
export function judge(console: string, pti: boolean): BochsRun {
  const begun = console.slice(Math.max(0, console.indexOf('driftpatch: pcid')));
  const facts = /^driftpatch: pcid (\d) pti (\d)$/m.exec(begun);
  const problems: string[] = [];
  if (facts?.[1] !== '1') problems.push(`expected a processor with PCID, found ${facts ? 'none' : 'no word about it'}`);
  if (facts && (facts[2] === '1') !== pti) problems.push(`expected pti ${pti ? 'on' : 'off'}, found the other`);
  const passed: Record<string, number> = {};
  for (const name of programs) {
    const said = begun.split(`driftpatch: begin ${name}\n`)[1]?.split(`driftpatch: ${name} status `);
    passed[name] = (said?.[0] ?? '').match(/^ok \d+ (?!# SKIP)/gm)?.length ?? 0;
    if (said?.[1] === undefined) problems.push(`${name}: expected an end, found none`);
    else if (!/^0\n/.test(said[1])) problems.push(`${name}: status ${said[1].split('\n')[0]}`);
  }
  return { pti, passed, problems: [...problems, ...findComplaints(begun)], console };
}
