// SPDX-License-Identifier: MIT
// Debian's stress-ng: its classes for memory, mapping, forking and scheduling, threads, signals and interrupts; each stressor for
// some seconds, with its own verification.
//
// What would fill the guest's memory until something is killed gets a bound: otherwise the out-of-memory killer decides what comes
// of it. Not among them: what has no bound (tmpfs), needs a device or a disk of its own (watchdog, swap), or what stress-ng itself
// calls pathological (mlockmany).

import { ensurePackages, forStressNg } from '../system-packages.js';
import type { ForeignSuite, ForeignTest } from './suite.js';

const memory = [
  ...['madvise', 'malloc', 'mlock', 'mmap', 'mmapaddr', 'mmapfixed', 'mmapfork', 'mmaphuge', 'mmapmany'],
  ...['mprotect', 'mremap', 'msync', 'msyncmany', 'munmap', 'pagemove', 'pageswap', 'remap', 'shm-sysv', 'stackmmap'],
  ...[
    'userfaultfd',
    'vm',
    'vm-addr',
    'vm-rw',
    'vm-segv',
    'vm-splice',
    'mincore',
    'memfd',
    'membarrier',
    'numa',
    'rmap',
  ],
  ...[
    'tlb-shootdown',
    'fault',
    'ksm',
    'bad-altstack',
    'env',
    'memthrash',
    'mcontend',
    'physpage',
    'sysbadaddr',
    'vdso',
  ],
  ...['bigheap', 'brk', 'dev-shm', 'shm', 'stack'],
];
const processes = [
  ...['clone', 'daemon', 'exec', 'exit-group', 'fork', 'forkheavy', 'vfork', 'vforkmany', 'spawn', 'zombie', 'wait'],
  ...[
    'session',
    'affinity',
    'schedpolicy',
    'switch',
    'yield',
    'nanosleep',
    'resched',
    'race-sched',
    'ptrace',
    'dynlib',
  ],
];
const threads = ['pthread', 'futex', 'mutex', 'sem', 'context', 'poll', 'eventfd', 'epoll', 'mq', 'msg'];
const signals = [
  ...['kill', 'sigabrt', 'sigchld', 'sigfd', 'sigfpe', 'sigio', 'signal', 'signest', 'sigpending', 'sigpipe', 'sigq'],
  ...['sigrt', 'sigsegv', 'sigsuspend', 'sigtrap', 'sleep', 'timer', 'timerfd', 'alarm', 'itimer', 'pidfd'],
];
const quick = new Set([
  'mmap',
  'mprotect',
  'mremap',
  'vm',
  'fork',
  'exec',
  'pthread',
  'sigsegv',
  'vm-segv',
  'userfaultfd',
]);

/** What a stressor may take, in words for the shell. */
const bounds: Readonly<Record<string, string>> = {
  bigheap: 'ulimit -v 524288; ',
  brk: 'ulimit -d 131072; ',
  'dev-shm': 'mount -o remount,size=64M /dev/shm; ',
  stack: 'ulimit -s 32768; ',
};
const more: Readonly<Record<string, string>> = { shm: ' --shm-bytes 1M --shm-objs 8', bigheap: ' --bigheap-growth 1M' };

const common = '--timeout 2 --seed 1 --verify --oom-avoid --vm-bytes 32M --mmap-bytes 32M';

/** The seed makes the work the same; its amount is not compared, only what became of it. */
const tests: readonly ForeignTest[] = [...memory, ...processes, ...threads, ...signals].map((name) => ({
  name,
  command: `ulimit -c 0; ${bounds[name] ?? ''}exec stress-ng --${name} 2${more[name] ?? ''} ${common}`,
  seconds: 120,
  ...(quick.has(name) && { quick: true }),
}));

export const stressNg: ForeignSuite = {
  about: "stress-ng's memory, process, thread and signal stressors",
  tests,
  prepare: async (shown) => {
    await ensurePackages(forStressNg, shown.say);
    return null;
  },
};
