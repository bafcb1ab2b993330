// SPDX-License-Identifier: MIT
/** How an interrupted system call goes on, from the registers and the code around pc. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { asIfNotStopped, begunAnew, CODE_BEFORE_PC, CODE_SIZE, sleepsUntil } from '../../runtime/ptrace/resume.js';
import { Registers } from '../../runtime/sys/ptrace.js';

const PC = 0x401000;
const CLOCK_NANOSLEEP = 230;
const RESTART_SYSCALL = 219;
const RESTART_BLOCK = -516;

const registers = (orig_rax: number, rax: number) => new Registers().with({ orig_rax, rax, rip: PC });

/** `mov $230,%eax; syscall` with the pc behind it, and before its `syscall`. */
const MADE = [0xb8, CLOCK_NANOSLEEP, 0, 0, 0, 0x0f, 0x05];
const behind = Buffer.from([...MADE, 0x48, 0x89]);
const before = Buffer.from([0x90, 0x90, ...MADE]);
/** The call's number comes from elsewhere: mov %rdi,%rax; syscall. */
const behindOther = Buffer.from([0x90, 0x90, 0x48, 0x89, 0xf8, 0x0f, 0x05, 0x48, 0x89]);
const beforeOther = Buffer.from([0x90, 0x90, 0x90, 0x90, 0x48, 0x89, 0xf8, 0x0f, 0x05]);
assert.is(behind.length, CODE_SIZE);
assert.is(CODE_BEFORE_PC, MADE.length);

const cases: [
  what: string,
  orig: number,
  rax: number,
  code: Buffer,
  sleeps: boolean,
  call: number | null,
  back: number,
][] = [
  ['in no call', -1, 5, behind, false, 5, 0],
  ['in a call that has ended', 1, 12, behind, false, 12, 0],
  ['in a call that begins anew by itself', 0, -512, behindOther, false, 0, 2],
  ['in a sleep, for the first time', CLOCK_NANOSLEEP, RESTART_BLOCK, behindOther, true, CLOCK_NANOSLEEP, 2],
  ['in a sleep that was interrupted before', RESTART_SYSCALL, RESTART_BLOCK, behind, true, CLOCK_NANOSLEEP, 2],
  ['the same, made in another way', RESTART_SYSCALL, RESTART_BLOCK, behindOther, true, null, 0],
  [
    'on its way back to a sleep, still in the kernel',
    CLOCK_NANOSLEEP,
    RESTART_SYSCALL,
    beforeOther,
    true,
    CLOCK_NANOSLEEP,
    0,
  ],
  ['on its way back to a sleep, before its syscall', -1, RESTART_SYSCALL, before, true, CLOCK_NANOSLEEP, 0],
  ['the same for the second time', RESTART_SYSCALL, RESTART_SYSCALL, before, true, CLOCK_NANOSLEEP, 0],
  ['the same, made in another way', -1, RESTART_SYSCALL, beforeOther, true, null, 0],
  ['a number like that elsewhere', -1, RESTART_SYSCALL, behind, false, RESTART_SYSCALL, 0],
];

for (const [what, orig, rax, code, sleeps, call, back] of cases)
  test(`${what}: ${call === null ? 'nobody can tell which call it was' : 'as it would have gone on'}`, () => {
    const stopped = registers(orig, rax);
    assert.is(sleepsUntil(stopped, code), sleeps);
    const resumed = begunAnew(stopped, code);
    assert.is(resumed?.signed('rax') ?? null, call === null ? null : BigInt(call));
    if (resumed) assert.is(resumed.get('rip'), BigInt(PC - back));
  });

test('code that cannot be read tells nothing', () => {
  assert.is(begunAnew(registers(RESTART_SYSCALL, RESTART_BLOCK), null), null);
  assert.is(begunAnew(registers(CLOCK_NANOSLEEP, RESTART_BLOCK), null)!.get('rax'), BigInt(CLOCK_NANOSLEEP));
});

test('EINTR with no signal: a call that has done nothing begins anew, one that may have done a part does not', () => {
  const [epoll_wait, close] = [232, 3];
  assert.is(asIfNotStopped(registers(epoll_wait, -4)).signed('rax'), -514n);
  assert.is(asIfNotStopped(registers(close, -4)).signed('rax'), -4n);
});

test.run();
