// SPDX-License-Identifier: MIT
// One QEMU process: its command line, its console, its end. Whoever starts one owns it: it dies with its owner, by its
// own process id, and also when the owner is killed without a chance to clean up (the kernel's parent-death signal).

import { type ChildProcess, spawn } from 'node:child_process';
import type { Accelerator } from './accel.js';
import { VmError } from './errors.js';
import { stageOne } from './guest-init.js';

export type GuestRoot = { readonly kind: 'image'; readonly file: string } | { readonly kind: 'host' };

export interface Machine {
  /** A bzImage. */
  readonly kernel: string;
  readonly root: GuestRoot;
  readonly accelerator: Accelerator;
  /** Its clock counts instructions, one a nanosecond. Means TCG. */
  readonly counted: boolean;
  readonly cpus: number;
  /** QEMU's notation: `2G`, `512M`. */
  readonly memory: string;
  /** 9p shares by mount tag. */
  readonly shares: readonly { readonly tag: string; readonly folder: string; readonly readonly: boolean }[];
  /** More words for the kernel's command line. */
  readonly append: string;
}

export function qemuArguments(machine: Machine, serial: 'pipe' | 'terminal'): string[] {
  const share = (tag: string, folder: string, readonly: boolean) => {
    const id = tag.replaceAll('/', '-').replace(/^-/, '');
    const where = `path=${folder.replaceAll(',', ',,')},security_model=none,multidevs=remap`;
    return [
      ...['-fsdev', `local,id=${id},${where},readonly=${readonly ? 'on' : 'off'}`],
      ...['-device', `virtio-9p-pci,fsdev=${id},mount_tag=${tag}`],
    ];
  };
  const root =
    machine.root.kind === 'image'
      ? ['-drive', `file=${machine.root.file.replaceAll(',', ',,')},format=raw,if=virtio,snapshot=on`]
      : share('/dev/root', '/', true);
  const rootWords =
    machine.root.kind === 'image'
      ? 'root=/dev/vda rw'
      : 'root=/dev/root ro rootfstype=9p rootflags=trans=virtio,version=9p2000.L,msize=524288,cache=loose';
  const words = [
    'console=ttyS0',
    serial === 'pipe' ? 'ignore_loglevel' : 'quiet',
    'printk.time=1 panic=-1 oops=panic random.trust_cpu=on',
    // An emulator that gets too little of its host fails the kernel's test of the timer, which waits for no more than ten ticks.
    machine.accelerator === 'tcg' ? 'rcupdate.rcu_cpu_stall_timeout=60 no_timer_check' : '',
    rootWords,
    machine.append,
    stageOne, // last: what follows its `--` goes to init
  ];
  return [
    ...['-machine', 'q35', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...(machine.counted
      ? ['-accel', 'tcg,thread=single', '-icount', 'shift=0', ...(machine.cpus > 1 ? turns : [])]
      : ['-accel', machine.accelerator === 'kvm' ? 'kvm' : 'tcg,thread=multi']),
    ...['-cpu', machine.accelerator === 'kvm' ? 'host' : 'max'],
    ...['-smp', String(machine.cpus), '-m', machine.memory],
    ...['-kernel', machine.kernel, '-append', words.filter(Boolean).join(' ')],
    ...['-device', 'virtio-rng-pci'],
    ...(serial === 'pipe'
      ? ['-serial', 'stdio']
      : ['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console']),
    ...root,
    ...machine.shares.flatMap(({ tag, folder, readonly }) => share(tag, folder, readonly)),
  ];
}

/**
 * Processors whose instructions are counted run in turns, and a turn lasts until the next timer of QEMU's own expires. A buffer that is
 * emptied every so many microseconds, of a network without members, has such a timer: no processor waits longer for its turn.
 */
const turns = ['-netdev', 'hubport,id=turns,hubid=0', '-object', 'filter-buffer,id=turn,netdev=turns,interval=5'];

export interface Qemu {
  /** Resolves when the process is gone, with a word on how. */
  readonly ended: Promise<string>;
  kill(): void;
}

export function startQemu(
  machine: Machine,
  serial: 'pipe' | 'terminal',
  onConsole: (bytes: Buffer) => void,
  program = 'qemu-system-x86_64',
): Qemu {
  const args = ['--pdeathsig', 'KILL', '--', program, ...qemuArguments(machine, serial)];
  const child: ChildProcess = spawn('setpriv', args, {
    stdio: serial === 'pipe' ? ['ignore', 'pipe', 'pipe'] : ['inherit', 'inherit', 'pipe'],
  });
  let said = '';
  child.stdout?.on('data', onConsole);
  child.stderr?.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-2000);
  });
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new VmError('NO_TOOL', { where: 'setpriv', what: cause.message }, { cause })),
    );
    child.once('close', (code, signal) => {
      process.removeListener('exit', kill);
      resolve([signal ?? `status ${code}`, said.trim()].filter(Boolean).join(': '));
    });
  });
  return { ended, kill };
}
