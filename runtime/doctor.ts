// SPDX-License-Identifier: MIT
/**
 * Doctor: can this machine do it, and what to do about what is missing.
 *
 * It tries rather than asks: the system calls are called, and a view is made of our own process and dropped again. Nothing
 * else is touched.
 */
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { RuntimeError } from './errors.js';
import { Process } from './proc/process.js';
import { mmviewClone, SysError } from './sys/calls.js';
import { View } from './view.js';
import type { Mode } from './ways/way.js';

export interface Check {
  readonly name: string;
  /** 'note': nothing is missing, but something may be in the way of some processes. */
  readonly result: 'ok' | 'note' | 'missing';
  readonly found: string;
  /** What to do; '' if there is nothing to do. */
  readonly advice: string;
  /** Which ways need it. */
  readonly modes: readonly Mode[];
}

export interface Diagnosis {
  readonly checks: readonly Check[];
  /** Would it work here, each way? */
  readonly modes: Readonly<Record<Mode, boolean>>;
}

const BOTH: readonly Mode[] = ['wait-free', 'stop'];
const CAP_SYS_PTRACE = 19n;

export function doctor(): Diagnosis {
  const checks = [architecture(), kernelCalls(), aView(), permission(), seccomp(), uprobes()];
  const works = (mode: Mode) => !checks.some(({ result, modes }) => result === 'missing' && modes.includes(mode));
  return { checks, modes: { 'wait-free': works('wait-free'), stop: works('stop') } };
}

function architecture(): Check {
  const ok = process.arch === 'x64' && process.platform === 'linux';
  return {
    name: 'architecture',
    result: ok ? 'ok' : 'missing',
    found: `${process.platform}, ${process.arch}`,
    advice: ok ? '' : 'run it on Linux on x86-64: there is no port to others',
    modes: BOTH,
  };
}

function kernelCalls(): Check {
  const base = { name: 'kernel', modes: ['wait-free'] as const };
  const advice = 'boot a kernel with the patches in kernel-tree/ (npm run vm boots one in a guest), or use --mode stop';
  try {
    mmviewClone(-1, 0);
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    if (error.errno === 'EBADF') return { ...base, result: 'ok', found: `${release()}, with views`, advice: '' };
    if (error.errno === 'ENOSYS') return { ...base, result: 'missing', found: `${release()}, without views`, advice };
    const found = `${release()}, mmview_clone: ${error.errno}`;
    return { ...base, result: 'missing', found, advice: 'a seccomp filter keeps the call from us: run outside of it' };
  }
  return { ...base, result: 'missing', found: 'system call 500 is another one', advice };
}

/** Five-level page tables show in what happens, not in what the processor could do. */
function aView(): Check {
  const base = { name: 'views', modes: ['wait-free'] as const };
  try {
    const self = Process.open(process.pid);
    try {
      View.clone(self.pidfd, self.pid).close();
    } finally {
      self.close();
    }
    return { ...base, result: 'ok', found: 'a view of this very process was made, and dropped', advice: '' };
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    const advice: Partial<Record<string, string>> = {
      VIEWS_UNSUPPORTED: 'the kernel runs with five-level page tables: boot it with no5lvl',
      NO_VIEWS: 'the kernel has no views, see above',
      NO_MEMORY: 'there is not enough memory, or the memory cgroup is at its limit',
    };
    return { ...base, result: 'missing', found: error.message, advice: advice[error.code] ?? 'see the message' };
  }
}

const SCOPES: Readonly<Record<string, string>> = {
  '0': 'processes of the same user may be patched',
  '1': 'only root, and who has CAP_SYS_PTRACE, may patch processes other than its own children',
  '2': 'only root, and who has CAP_SYS_PTRACE, may patch processes',
  '3': 'nobody may attach to a process until the next boot',
};

function permission(): Check {
  const base = { name: 'permission', modes: BOTH };
  const scope = read('/proc/sys/kernel/yama/ptrace_scope')?.trim() ?? '0';
  const capable = isCapable();
  const who = `${process.geteuid?.() === 0 ? 'root' : `user ${process.geteuid?.()}`}${capable ? ', CAP_SYS_PTRACE' : ''}`;
  const found = `${who}; ptrace scope ${scope}: ${SCOPES[scope] ?? 'unknown'}`;
  if (scope === '3') return { ...base, result: 'missing', found, advice: 'boot without kernel.yama.ptrace_scope = 3' };
  if (capable) return { ...base, result: 'ok', found, advice: '' };
  if (scope === '0')
    return { ...base, result: 'note', found, advice: 'for processes of other users run driftpatch as root' };
  return { ...base, result: 'missing', found, advice: 'run driftpatch as root (sudo), or give it CAP_SYS_PTRACE' };
}

function isCapable(): boolean {
  const effective = statusField('CapEff');
  return effective !== null && ((BigInt(`0x${effective}`) >> CAP_SYS_PTRACE) & 1n) === 1n;
}

function seccomp(): Check {
  const confined = statusField('Seccomp') === '2';
  return {
    name: 'seccomp',
    result: confined ? 'note' : 'ok',
    found: confined ? 'this process is confined by a filter' : 'no filter confines this process',
    advice: confined ? 'a container’s filter may forbid ptrace and pidfd_open: run driftpatch on the host' : '',
    modes: BOTH,
  };
}

/** Processes that carry a probe are refused: the breakpoints are in pages that an override would copy. */
function uprobes(): Check {
  const base = { name: 'uprobes', modes: ['wait-free'] as const };
  const files = ['/sys/kernel/tracing/uprobe_events', '/sys/kernel/debug/tracing/uprobe_events'];
  const text = files.map(read).find((one) => one !== null);
  const count = text?.split('\n').filter((line) => line !== '').length ?? 0;
  if (count === 0) {
    const found = text === undefined ? 'no list of them can be read here' : 'none defined';
    return { ...base, result: 'ok', found, advice: '' };
  }
  const advice = 'processes with a probe in them are refused; remove theirs (perf probe -d, or end the tracer)';
  return { ...base, result: 'note', found: `${count} defined`, advice };
}

function statusField(name: string): string | null {
  return new RegExp(`^${name}:\\s*(\\S+)$`, 'm').exec(read('/proc/self/status') ?? '')?.[1] ?? null;
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
