// SPDX-License-Identifier: MIT
// Run one command in a fresh guest. What the command writes comes back byte for byte while it runs; its exit status
// counts only if the guest's verdict arrived, and a status of 0 only if the kernel had nothing to complain about.
//
//   boot ──> set-up ──> command ──> everybody killed ──> views counted ──> verdict ──> power off
//     └──────────┴──────────┴────── no verdict: LostVmError with the console's tail

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Accelerator, chooseAccelerator } from './accel.js';
import { findComplaints, taintedBy } from './complaints.js';
import { LostVmError, VmError } from './errors.js';
import { FileTail } from './file-tail.js';
import { commandScript, initScript } from './guest-init.js';
import { type GuestRoot, type Machine, startQemu } from './qemu.js';

export interface GuestOptions {
  /** A bzImage. */
  readonly kernel: string;
  readonly root: GuestRoot;
  /** The folder that the guest sees, read-only, at /project; also where the command starts. */
  readonly project: string;
  /** A folder that the guest may write to, at /mnt/share. */
  readonly share?: string;
  readonly cpus?: number;
  readonly memory?: string;
  readonly timeoutSeconds?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly append?: string;
  readonly accelerator?: Accelerator;
  /** The guest's clock counts its instructions, one a nanosecond: TCG, one processor unless `cpus` says more, and figures that repeat on a busy host. */
  readonly counted?: boolean;
  /** Chunks as they come. Without a handler the output is collected into the result. */
  readonly onStdout?: (bytes: Buffer) => void;
  readonly onStderr?: (bytes: Buffer) => void;
  readonly onConsole?: (bytes: Buffer) => void;
  readonly signal?: AbortSignal;
}

export interface GuestResult {
  /** The command's own exit status. */
  readonly status: number;
  /** True if the kernel complained about nothing and no view leaked. */
  readonly healthy: boolean;
  /** What the kernel complained about, line by line. */
  readonly complaints: readonly string[];
  readonly leakedViews: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly console: string;
  readonly accelerator: Accelerator;
  readonly seconds: number;
}

export const defaults = { cpus: 2, memory: '2G', timeoutSeconds: 600 } as const;

/** `null` instead of a command: an interactive shell on the caller's terminal. Its console is not examined. */
export async function runInGuest(command: readonly string[] | null, options: GuestOptions): Promise<GuestResult> {
  const began = Date.now();
  const control = await mkdtemp(join(tmpdir(), 'driftpatch-vm-'));
  try {
    const token = await prepareControlShare(control, command, options);
    const machine = await describeMachine(control, options);
    const streams = {
      stdout: new FileTail(join(control, 'stdout'), options.onStdout),
      stderr: new FileTail(join(control, 'stderr'), options.onStderr),
    };
    const { consoleText, end } = await boot(machine, command === null, options, Object.values(streams));
    const verdict = await readVerdict(control, token, consoleText, end);
    const complaints = findComplaints(consoleText);
    if (complaints.length === 0) complaints.push(...taintedBy(verdict.tainted).map((why) => `kernel tainted: ${why}`));
    return {
      status: verdict.status,
      healthy: complaints.length === 0 && verdict.views === 0,
      complaints,
      leakedViews: verdict.views,
      stdout: streams.stdout.collected(),
      stderr: streams.stderr.collected(),
      console: consoleText,
      accelerator: machine.accelerator,
      seconds: (Date.now() - began) / 1000,
    };
  } finally {
    await rm(control, { recursive: true, force: true });
  }
}

/** The folder through which host and guest talk. Only its owner may look into it: it holds the token. */
async function prepareControlShare(control: string, command: readonly string[] | null, options: GuestOptions) {
  const token = randomBytes(16).toString('hex');
  const facts = {
    token,
    hostRoot: options.root.kind === 'host',
    share: options.share !== undefined,
    interactive: command === null,
  };
  await writeFile(join(control, 'init'), initScript(facts));
  await writeFile(join(control, 'stdout'), '');
  await writeFile(join(control, 'stderr'), '');
  if (command) await writeFile(join(control, 'command'), commandScript(command, options.env));
  else {
    const { columns, rows } = process.stdout;
    await writeFile(join(control, 'term'), process.env.TERM ?? 'linux');
    await writeFile(join(control, 'size'), columns && rows ? `cols ${columns} rows ${rows}` : '');
  }
  return token;
}

async function describeMachine(control: string, options: GuestOptions): Promise<Machine> {
  const shares = [
    { tag: 'control', folder: control, readonly: false },
    { tag: 'project', folder: await realpath(options.project), readonly: true },
  ];
  if (options.share !== undefined) {
    await mkdir(options.share, { recursive: true });
    shares.push({ tag: 'share', folder: await realpath(options.share), readonly: false });
  }
  return {
    kernel: options.kernel,
    root: options.root,
    accelerator: options.counted ? 'tcg' : (options.accelerator ?? (await chooseAccelerator(options.kernel))),
    counted: options.counted === true,
    cpus: options.cpus ?? (options.counted ? 1 : defaults.cpus),
    memory: options.memory ?? defaults.memory,
    shares,
    append: options.append ?? '',
  };
}

/** Boot and wait for the end, whatever it is. Only a time-out and a cancellation are errors here. */
async function boot(machine: Machine, interactive: boolean, options: GuestOptions, streams: FileTail[]) {
  options.signal?.throwIfAborted();
  const chunks: Buffer[] = [];
  const consoleText = () => Buffer.concat(chunks).toString('utf8').replaceAll('\r\n', '\n');
  const qemu = startQemu(machine, interactive ? 'terminal' : 'pipe', (bytes) => {
    chunks.push(bytes);
    options.onConsole?.(bytes);
  });
  const limit = options.timeoutSeconds ?? (interactive ? 0 : defaults.timeoutSeconds);
  let late = false;
  const timer = limit
    ? setTimeout(() => {
        late = true;
        qemu.kill();
      }, limit * 1000)
    : undefined;
  const cancel = () => qemu.kill();
  options.signal?.addEventListener('abort', cancel);
  const drain = () => Promise.all(streams.map((stream) => stream.drain()));
  const poll = setInterval(() => void drain().catch(cancel), 40);
  let end: string;
  try {
    end = await qemu.ended;
  } finally {
    clearTimeout(timer);
    clearInterval(poll);
    options.signal?.removeEventListener('abort', cancel);
  }
  await drain();
  for (const stream of streams) await stream.close();
  if (options.signal?.aborted) throw new VmError('CANCELLED', { what: String(options.signal.reason) });
  if (late) throw new LostVmError('LOST_TIMEOUT', String(limit), consoleText());
  return { consoleText: consoleText(), end };
}

async function readVerdict(control: string, token: string, consoleText: string, end: string) {
  const line = await readFile(join(control, 'verdict'), 'utf8').catch(() => '');
  const [found, status, views, tainted] = line.trim().split(' ');
  const numbers = [status, views, tainted].map(Number);
  if (found !== token || numbers.length !== 3 || !numbers.every(Number.isInteger)) {
    const panicked = /Kernel panic - not syncing/.test(consoleText);
    throw new LostVmError(panicked ? 'LOST_PANIC' : 'LOST_SILENT', end, consoleText);
  }
  return { status: numbers[0]!, views: numbers[1]!, tainted: numbers[2]! };
}
