// SPDX-License-Identifier: MIT
/** The numbers of runtime/sys/abi.ts and runtime/sys/ptrace.ts are those that gcc sees in the headers. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as abi from '../../runtime/sys/abi.js';
import * as tracing from '../../runtime/sys/ptrace.js';

const STRUCTS = [abi.MAP, abi.RANGE, abi.GUARD, abi.THREAD, abi.STATE];

const CONSTANTS: Record<string, number> = {
  MMVIEW_CLONE_ATTACH: abi.CLONE_ATTACH,
  MMVIEW_CLONE_NEWEST: abi.CLONE_NEWEST,
  MMVIEW_MIGRATE_ALL: abi.MIGRATE_ALL,
  MMVIEW_MIGRATE_ENTRY: abi.MIGRATE_ENTRY,
  MMVIEW_MIGRATE_COOPERATIVE: abi.MIGRATE_COOPERATIVE,
  MMVIEW_GUARD_CHANGED: abi.GUARD_CHANGED,
  MMVIEW_GUARD_BODY: abi.GUARD_BODY,
  MMVIEW_MAX_GUARDS: abi.MAX_GUARDS,
  MMVIEW_STATE_SEALED: abi.STATE_SEALED,
  MMVIEW_STATE_COMPLETE: abi.STATE_COMPLETE,
  MMVIEW_STATE_FOLDED: abi.STATE_FOLDED,
  MMVIEW_STATE_SUPERSEDED: abi.STATE_SUPERSEDED,
  MMVIEW_IOC_MAP: abi.IOC_MAP,
  MMVIEW_IOC_GUARD: abi.IOC_GUARD,
  MMVIEW_IOC_SEAL: abi.IOC_SEAL,
  MMVIEW_IOC_STATE: abi.IOC_STATE,
  MMVIEW_IOC_FOLD: abi.IOC_FOLD,
  __NR_wait4: abi.NR.wait4,
  __NR_ptrace: abi.NR.ptrace,
  __NR_pidfd_open: abi.NR.pidfd_open,
  __NR_pidfd_send_signal: abi.NR.pidfd_send_signal,
};
for (const [number, why] of abi.WHY.entries())
  CONSTANTS[`MMVIEW_WHY_${why.toUpperCase().replaceAll('-', '_')}`] = number;

const { Registers: _, REGISTER_ORDER, PTRACE, REMOTE, ...others } = tracing;
for (const [name, number] of Object.entries(PTRACE)) CONSTANTS[`PTRACE_${name}`] = number;
for (const [name, number] of Object.entries(REMOTE)) CONSTANTS[`__NR_${name}`] = number;
Object.assign(CONSTANTS, others);

const HEADERS = [
  ...['stddef.h', 'stdio.h', 'elf.h', 'linux/mman.h', 'linux/prctl.h', 'linux/ptrace.h', 'asm/ptrace.h'],
  ...['sys/user.h', 'sys/syscall.h', 'linux/mmview.h'],
];

/** What gcc makes of the header: one "expression value" a line. */
function askCompiler(expressions: readonly string[]): Map<string, number> {
  const folder = mkdtempSync(join(tmpdir(), 'driftpatch-abi-'));
  try {
    const source = join(folder, 'abi.c');
    const lines = expressions.map((e) => `printf("%s=%llu\\n", "${e}", (unsigned long long)(${e}));`);
    writeFileSync(
      source,
      `${HEADERS.map((header) => `#include <${header}>\n`).join('')}int main(void) { ${lines.join('\n')} return 0; }\n`,
    );
    execFileSync('gcc', [
      '-Wall',
      '-Werror',
      '-idirafter',
      'kernel-tree/include/uapi',
      '-o',
      join(folder, 'abi'),
      source,
    ]);
    const output = execFileSync(join(folder, 'abi'), { encoding: 'utf8' });
    return new Map(
      output
        .trim()
        .split('\n')
        .map((line) => [line.slice(0, line.lastIndexOf('=')), Number(line.slice(line.lastIndexOf('=') + 1))]),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('structures have the size and offsets that the C compiler gives them', () => {
  const expected = new Map<string, number>();
  for (const { name, size, fields } of STRUCTS) {
    expected.set(`sizeof(struct ${name})`, size);
    for (const field of fields) {
      expected.set(`offsetof(struct ${name}, ${field.name})`, field.offset);
      expected.set(`sizeof(((struct ${name} *)0)->${field.name})`, field.width);
    }
  }
  assert.equal(askCompiler([...expected.keys()]), expected);
});

test('constants and ioctl numbers are the header’s', () => {
  assert.equal(askCompiler(Object.keys(CONSTANTS)), new Map(Object.entries(CONSTANTS)));
});

test('registers lie where the C compiler has them', () => {
  const offsets = REGISTER_ORDER.map((name, i): [string, number] => [
    `offsetof(struct user_regs_struct, ${name})`,
    i * 8,
  ]);
  assert.equal(askCompiler(offsets.map(([expression]) => expression)), new Map(offsets));
});

test('a structure survives encoding and decoding', () => {
  const values = { start: 0x7fff_ffff_f000, end: 1, kind: 0xffff_ffff, reserved: 0 };
  assert.equal(abi.RANGE.decode(abi.RANGE.encode(values)), values);
});

test.run();
