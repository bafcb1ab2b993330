// SPDX-License-Identifier: MIT
/** Which unwinder throws a process's exceptions: libgcc's is led through the arena, any other is a refusal before anything is done. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Patch } from '../../planner/index.js';
import { identify } from '../../runtime/identify.js';
import { findUnwinders } from '../../runtime/unwind/unwinders.js';
import { buildIdOf, looking, refused, Workshop } from './live.js';

const workshop = new Workshop();
test.after(() => workshop.clear());

/** With the names that LLVM's libunwind exports, as Debian builds it. */
const foreign = join(workshop.folder, 'libforeign.so');
writeFileSync(
  `${foreign}.c`,
  'int _Unwind_RaiseException(void) { return 0; } int _Unwind_Find_FDE(void) { return 1; }',
);
execFileSync('gcc', ['-shared', '-fPIC', '-o', foreign, `${foreign}.c`]);

const SOURCE = `
#include <stdio.h>
#include <unistd.h>
int _Unwind_RaiseException(void);
int main(void) { puts("ready"); fflush(stdout); pause(); return (long)_Unwind_RaiseException; }
`;

const find = (pid: number, file: string) =>
  looking(pid, (process) => {
    const found = identify(process, process.maps(), { name: file, buildId: buildIdOf(file), kind: 'pie' });
    const patch = { unwind: ['outer'], symbols: [] } as unknown as Patch;
    return findUnwinders(process.read.bind(process), process, patch, found, []);
  });

test("the machine's libgcc_s is found", async () => {
  const file = workshop.compile('libgcc', SOURCE, '-Wl,--no-as-needed', '-lgcc_s');
  const { pid } = await workshop.run(file);
  assert.is((await find(pid, file)).length, 1);
});

test('what throws before libgcc_s does, under the same names, is no libgcc', async () => {
  const file = workshop.compile(
    'both',
    SOURCE,
    '-Wl,--no-as-needed',
    foreign,
    '-lgcc_s',
    `-Wl,-rpath,${workshop.folder}`,
  );
  const { pid } = await workshop.run(file);
  const { message } = await refused('UNWIND_UNREGISTERED', () => find(pid, file));
  assert.match(message, /an exception could be thrown through outer, .*: libforeign\.so unwinds in a way of its own/);
});

test('a process without any unwinder is refused', async () => {
  const file = workshop.compile(
    'none',
    '#include <stdio.h>\n#include <unistd.h>\nint main(void) { puts("r"); fflush(stdout); pause(); }',
  );
  const { pid } = await workshop.run(file);
  await refused('UNWIND_UNREGISTERED', () => find(pid, file));
});

test.run();
