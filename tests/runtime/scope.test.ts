// SPDX-License-Identifier: MIT
/** Names are found where the loader finds them for the target: in its namespace, and in what it needs itself before all others. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Patch, PatchTarget } from '../../planner/index.js';
import { identify } from '../../runtime/identify.js';
import { resolve } from '../../runtime/resolve.js';
import { buildIdOf, looking, refused, Workshop } from './live.js';

const workshop = new Workshop();
test.after(() => workshop.clear());

/** A library in the workshop that needs `others`. */
function library(name: string, source: string, ...others: string[]): string {
  const file = join(workshop.folder, `lib${name}.so`);
  writeFileSync(`${file}.c`, source);
  const flags = ['-shared', '-fPIC', '-Wl,--build-id=sha1', '-Wl,-rpath,$ORIGIN', '-Wl,--no-as-needed'];
  execFileSync('gcc', [...flags, `-Wl,-soname,lib${name}.so`, '-o', file, `${file}.c`, ...others]);
  return file;
}

const base1 = library('base1', 'int common(void) { return 1; } int alone(void) { return 10; }');
const base2 = library('base2', 'int common(void) { return 2; }');
const one = library('one', 'int common(void); int one(void) { return common(); }', base1);
const two = library('two', 'int common(void); int two(void) { return common(); }', base2);
const three = library('three', 'int three(void) { return 3; }');
const far = library('far', '#include <stdlib.h>\nvoid *far(void) { return (void *)malloc; }');

const host = workshop.compile(
  'host',
  `#define _GNU_SOURCE
   #include <dlfcn.h>
   #include <stdio.h>
   #include <stdlib.h>
   #include <string.h>
   #include <unistd.h>
   int puts(const char *);
   size_t strlen(const char *);
   static void *open_(const char *name, long space)
   {
     void *handle = dlmopen(space, name, RTLD_NOW | RTLD_LOCAL);
     if (!handle) { fprintf(stderr, "%s\\n", dlerror()); _exit(1); }
     return handle;
   }
   int main(int argc, char **argv)
   {
     void *a = open_("${one}", LM_ID_BASE), *b = open_("${two}", LM_ID_BASE), *f = open_("${far}", LM_ID_NEWLM);
     open_("${three}", LM_ID_BASE);
     if (argc > 1) open_("${one}", LM_ID_NEWLM);
     void *(*far)(void) = dlsym(f, "far");
     printf("%p %p %p %p %p\\n", dlsym(a, "common"), dlsym(b, "common"), dlsym(a, "alone"), far(), (void *)malloc);
     fflush(stdout);
     pause();
     return 0;
   }`,
);

const targetOf = (file: string): PatchTarget => ({ name: file, buildId: buildIdOf(file), kind: 'shared' });

const find = (pid: number, file: string, name: string, version: string | null = null) =>
  looking(pid, (process) => {
    const symbols = [{ name, binding: { kind: 'import', version } }];
    return resolve(process, { symbols } as unknown as Patch, identify(process, process.maps(), targetOf(file)))[0];
  });

test('what an opened library needs itself comes before what others need', async () => {
  const { pid, line } = await workshop.run(host);
  const [first, second, alone] = line.split(' ').map(Number);
  assert.is.not(first, second);
  assert.is(await find(pid, one, 'common'), first);
  assert.is(await find(pid, two, 'common'), second);
  assert.is(await find(pid, two, 'alone'), alone, 'one object alone has it');
  const { message } = await refused('IMPORT_AMBIGUOUS', () => find(pid, three, 'common'));
  assert.match(message, /which libbase1\.so and libbase2\.so have, and the target needs neither/);
});

test('a library in a namespace of its own gets what is there', async () => {
  const { pid, line } = await workshop.run(host);
  const [, , , theirs, ours] = line.split(' ').map(Number);
  assert.is.not(theirs, ours);
  assert.is(await find(pid, far, 'malloc', 'GLIBC_2.2.5'), theirs);
  assert.is(await find(pid, one, 'malloc', 'GLIBC_2.2.5'), ours);
});

test('a library that is loaded twice is refused', async () => {
  const { pid } = await workshop.run(host, 'twice');
  const { message } = await refused('TARGET_TWICE', () => find(pid, one, 'common'));
  assert.match(message, /has .*libone\.so loaded 2 times; only one copy can be patched/);
});

test.run();
