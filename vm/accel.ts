// SPDX-License-Identifier: MIT
// KVM or TCG? A /dev/kvm that can be opened may still refuse this processor, or run a few instructions and then hang, so
// the question is put to a real boot: the kernel itself, without a root, which must come as far as its panic about that
// and reboot (with -no-reboot: QEMU ends). If that does not happen in time, KVM does not work here.

import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { cacheFolder, hashOf, writeWhole } from './cache.js';

export type Accelerator = 'kvm' | 'tcg';

const limitMs = 3000;

/** The answer holds until the host boots again, and is remembered that long. */
export async function chooseAccelerator(kernel: string, qemu = 'qemu-system-x86_64'): Promise<Accelerator> {
  const usable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!usable) return 'tcg';
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
  const memo = cacheFolder('accelerator', hashOf(boot));
  const known = await readFile(memo, 'utf8').catch(() => '');
  if (known === 'kvm' || known === 'tcg') return known;
  const answer = (await kernelBoots(kernel, qemu)) ? 'kvm' : 'tcg';
  await writeWhole(memo, answer);
  return answer;
}

async function kernelBoots(kernel: string, qemu: string): Promise<boolean> {
  const machine = ['-machine', 'q35', '-accel', 'kvm', '-cpu', 'host', '-smp', '2', '-m', '256M'];
  const quiet = ['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio'];
  const words = 'console=ttyS0 panic=-1';
  const child = spawn(qemu, [...machine, ...quiet, '-kernel', kernel, '-append', words], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  child.stdout.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  const late = setTimeout(() => child.kill('SIGKILL'), limitMs);
  const status = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', (code) => resolve(code));
  });
  clearTimeout(late);
  return status === 0 && text.includes('Kernel panic - not syncing: VFS');
}
