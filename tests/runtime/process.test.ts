// SPDX-License-Identifier: MIT
/** Looking at live processes: who runs what, found in memory and not in files. */
import { spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  linkAddress,
  type Patch,
  type PatchSymbol,
  type PatchTarget,
  type ReplacedFunction,
} from '../../planner/index.js';
import { checkEntries } from '../../runtime/detour.js';
import { identify } from '../../runtime/identify.js';
import { parseNotes } from '../../runtime/proc/notes.js';
import { findBuildId, isStillLoaded, loadedObjects } from '../../runtime/proc/object.js';
import { Process } from '../../runtime/proc/process.js';
import { Layered } from '../../runtime/records.js';
import { resolve } from '../../runtime/resolve.js';
import { findTargets } from '../../runtime/targets.js';
import { buildIdOf, looking, refused, symbolOf, Workshop } from './live.js';

const SOURCE = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
__attribute__((noinline)) int victim(int x) { return x * 3 + getpid(); }
static void *idle(void *arg) { pthread_setname_np(pthread_self(), "idler"); pause(); return arg; }
int main(int argc, char **argv)
{
	void *(*copy)(void *, const void *, size_t) = memcpy;
	pthread_t thread;
	pthread_create(&thread, 0, idle, 0);
	if (argc > 1) mmap(0, 4096, PROT_READ, MAP_PRIVATE, open(argv[1], O_RDONLY), 0);
	if (fork() == 0) _exit(0);	/* a zombie */
	usleep(50000);
	printf("%d %p %p %p %p %d %p\\n", gettid(), (void *)puts, (void *)copy, (void *)&environ, (void *)victim, victim(0),
	       dlsym(RTLD_DEFAULT, "strcspn"));
	fflush(stdout);
	pause();
	return 0;
}
`;

const workshop = new Workshop();
test.after(() => workshop.clear());

const pie = workshop.compile('pie', SOURCE, '-pie', '-fPIE');
const fixed = workshop.compile('fixed', SOURCE, '-no-pie', '-fno-pie');

const targetOf = (file: string, buildId = buildIdOf(file)): PatchTarget => ({
  name: file.slice(file.lastIndexOf('/') + 1),
  buildId,
  kind: 'pie',
});

for (const file of [pie, fixed])
  test(`the target object and its load bias are found by build id: ${targetOf(file).name}`, async () => {
    const { pid, line } = await workshop.run(file);
    const victim = Number(line.split(' ')[4]);
    await looking(pid, (process) => {
      const { target, objects } = identify(process, process.maps(), targetOf(file));
      assert.is(target.bias, victim - symbolOf(file, 'victim'));
      assert.ok(target.start <= victim && victim < target.end);
      assert.ok(objects.some(({ name }) => name.startsWith('libc.so')));
    });
  });

test('an object that is looked for again is there, or elsewhere, or another one, or gone', async () => {
  const { pid } = await workshop.run(pie);
  await looking(pid, (process) => {
    const maps = process.maps();
    const { target, objects } = identify(process, maps, targetOf(pie));
    for (const object of objects) assert.ok(isStillLoaded(process, maps, object), object.path);
    assert.not.ok(isStillLoaded(process, maps, { ...target, bias: target.bias + 4096 }));
    assert.not.ok(isStillLoaded(process, maps, { ...target, buildId: '00' }));
    const without = maps.filter(({ start }) => start < target.start || start >= target.end);
    assert.not.ok(isStillLoaded(process, without, target));
  });
});

test('a file that was replaced on disk is still recognised by what runs', async () => {
  const file = workshop.compile('upgraded', SOURCE);
  const wanted = targetOf(file);
  const { pid } = await workshop.run(file);
  copyFileSync(fixed, `${file}.new`);
  renameSync(`${file}.new`, file);
  await looking(pid, (process) => {
    const { target } = identify(process, process.maps(), wanted);
    assert.is(target.deleted, true);
    assert.is(target.path, file);
  });
});

test('another build is refused with what runs and what was wanted', async () => {
  const { pid } = await workshop.run(pie);
  const wanted = targetOf(pie, 'ab'.repeat(20));
  const error = await refused('WRONG_BUILD', () => looking(pid, (p) => identify(p, p.maps(), wanted)));
  assert.ok(error.message.includes(`process ${pid} runs ${pie} with build id ${buildIdOf(pie)}`), error.message);
  assert.ok(error.message.includes(`the patch is for pie ${wanted.buildId}`), error.message);
});

test('an ELF file that is only mapped to be read is not a loaded object', async () => {
  const { pid } = await workshop.run(pie, fixed);
  await looking(pid, (process) => {
    const maps = process.maps();
    assert.ok(
      maps.some(({ path }) => path === fixed),
      'the file is mapped',
    );
    assert.not(loadedObjects(process, maps).some(({ path }) => path === fixed));
  });
});

test('a mapped file whose headers lie is no object, and no reason to fail', async () => {
  const honest = readFileSync(pie);
  const segments = Number(honest.readBigUInt64LE(32));
  const lies: [string, (bytes: Buffer) => void][] = [
    ['headers far away', (bytes) => bytes.fill(0xff, 32, 40)],
    ['too many headers', (bytes) => bytes.writeUInt16LE(0xffff, 56)],
    ['segments everywhere', (bytes) => bytes.fill(0xff, segments, segments + 600)],
    ['huge segments', (bytes) => bytes.fill(0xff, segments + 40, segments + 46)],
  ];
  for (const [lie, change] of lies) {
    const file = `${pie}.lie`;
    const bytes = Buffer.from(honest);
    change(bytes);
    writeFileSync(file, bytes);
    const { pid } = await workshop.run(fixed, file);
    await looking(pid, (process) => {
      const maps = process.maps();
      assert.ok(
        maps.some(({ path }) => path === file),
        lie,
      );
      assert.not(
        loadedObjects(process, maps).some(({ path }) => path === file),
        lie,
      );
    });
  }
});

test('threads are listed with their names', async () => {
  const { pid } = await workshop.run(pie);
  const names = await looking(pid, (process) => process.threads().map(({ name }) => name));
  assert.equal(names.sort(), ['idler', 'pie']);
});

test('a pid that is gone, a thread id and a zombie are refused by what they are', async () => {
  const { pid, child } = await workshop.run(pie);
  const tid = await looking(pid, (p) => p.threads().find((thread) => thread.name === 'idler')!.tid);
  const error = await refused('NOT_A_PROCESS', () => Process.open(tid));
  assert.is(error.facts.tgid, pid);

  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  await refused('PROCESS_ZOMBIE', () => Process.open(Number(children.trim())));

  const process = Process.open(pid);
  child.kill('SIGKILL');
  await new Promise((done) => child.on('exit', done));
  await refused('PROCESS_GONE', () => process.checkAlive());
  await refused('PROCESS_GONE', () => Process.open(pid));
  process.close();
});

test('imports resolve to what the loader resolved them to, an IFUNC to the choice in a slot', async () => {
  const { pid, line } = await workshop.run(pie);
  const [, puts, copy, environ, , , spans] = line.split(' ').map(Number);
  const find = (name: string, version: string | null) =>
    looking(pid, (process) => {
      const symbols: PatchSymbol[] = [{ name, binding: { kind: 'import', version } }];
      return resolve(process, { symbols } as unknown as Patch, identify(process, process.maps(), targetOf(pie)))[0];
    });
  assert.is(await find('puts', 'GLIBC_2.2.5'), puts);
  assert.is(await find('puts', null), puts);
  assert.is(await find('environ', 'GLIBC_2.2.5'), environ);
  assert.is(await find('memcpy', 'GLIBC_2.14'), copy);
  await refused('IMPORT_UNRESOLVED', () => find('puts', 'GLIBC_9.9'));
  await refused('IMPORT_UNRESOLVED', () => find('no_such_function', null));
  // this program has no slot for it, but libc calls it itself
  assert.is(await find('strcspn', 'GLIBC_2.2.5'), spans);
  await refused('IMPORT_IFUNC', () => find('strstr', 'GLIBC_2.2.5'));
  await refused('IMPORT_TLS', () => find('__resp', 'GLIBC_PRIVATE'));
});

test('a process whose main thread has ended is looked at through those that live', async () => {
  const source = SOURCE.replace('pause();\n\treturn 0;', 'pthread_exit(0);');
  const file = workshop.compile('headless', source, '-pie', '-fPIE');
  const { pid } = await workshop.run(file);
  for (let left = 200; !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')); left--) {
    assert.ok(left > 0, 'its main thread does not end');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { target } = await looking(pid, (process) => identify(process, process.maps(), targetOf(file)));
  assert.is(target.path, file);
  const found = findTargets({ exe: file }, () => true);
  assert.equal([found.targets.map((one) => one.pid), found.hidden], [[pid], 0]);
});

/** An ELF file of 32 bits whose code is pause(), in an endless loop. */
function program32(): string {
  const file = join(workshop.folder, 'program32');
  const bytes = Buffer.alloc(0x80);
  bytes.set(Buffer.from('7f454c46010101', 'hex'));
  for (const [at, value] of [
    [16, 2],
    [18, 3],
    [40, 52],
    [42, 32],
    [44, 1],
  ] as const)
    bytes.writeUInt16LE(value, at);
  for (const [at, value] of [
    [20, 1],
    [24, 0x10060],
    [28, 52],
  ] as const)
    bytes.writeUInt32LE(value, at);
  // PT_LOAD, offset, address twice, size twice, read and execute, alignment
  [1, 0, 0x10000, 0x10000, 0x80, 0x80, 5, 0x1000].forEach((value, i) => {
    bytes.writeUInt32LE(value, 52 + i * 4);
  });
  bytes.set(Buffer.from('b81d000000cd80ebf7', 'hex'), 0x60);
  writeFileSync(file, bytes, { mode: 0o755 });
  return file;
}

test('a process of 32 bits is refused as that', async () => {
  const file = program32();
  const child = spawn(file);
  const started = await new Promise((resolve) => {
    child.once('spawn', () => resolve(true));
    child.once('error', () => resolve(false));
  });
  if (!started) return console.log('skipped: this kernel runs no programs of 32 bits');
  const error = await refused('NOT_X86_64', () =>
    looking(child.pid!, (process) => identify(process, process.maps(), targetOf(pie))),
  );
  child.kill('SIGKILL');
  assert.is(error.message.includes(file), true, error.message);
});

test('a symbol of the target outside the target is refused', async () => {
  const { pid } = await workshop.run(pie);
  const symbols: PatchSymbol[] = [{ name: 'far', binding: { kind: 'target', address: linkAddress(0x7000_0000) } }];
  await refused('SYMBOL_OUTSIDE', () =>
    looking(pid, (p) => resolve(p, { symbols } as unknown as Patch, identify(p, p.maps(), targetOf(pie)))),
  );
});

/** As a debugger does it: int3 over the first byte, and back. */
async function withBreakpoint(pid: number, address: number, action: () => Promise<void>): Promise<void> {
  const bias = await looking(pid, (p) => identify(p, p.maps(), targetOf(pie)).target.bias);
  const memory = openSync(`/proc/${pid}/mem`, 'r+');
  const byte = Buffer.alloc(1);
  readSync(memory, byte, 0, 1, address + bias);
  writeSync(memory, Buffer.from([0xcc]), 0, 1, address + bias);
  try {
    await action();
  } finally {
    writeSync(memory, byte, 0, 1, address + bias);
    closeSync(memory);
  }
}

test('an entry is taken only with the bytes, the room and the mapping that the patch expects', async () => {
  const { pid } = await workshop.run(pie);
  const address = linkAddress(symbolOf(pie, 'victim'));
  const check = (change: Partial<ReplacedFunction['old']>) =>
    looking(pid, (process) => {
      const maps = process.maps();
      const { target } = identify(process, maps, targetOf(pie));
      const bytes = process.read(address + target.bias, 5)!;
      const old = { address, size: 20, room: 20, detourOffset: 0, bytes, ...change };
      const text = new Layered((at, length) => process.read(at, length), maps);
      checkEntries(maps, target, [{ name: 'victim', old } as ReplacedFunction], [text]);
    });
  await check({});
  const original = await looking(pid, (p) => {
    return p.read(address + identify(p, p.maps(), targetOf(pie)).target.bias, 5)!;
  });
  const changed = await refused('ENTRY_CHANGED', () => check({ bytes: Buffer.from('0102030405', 'hex') }));
  assert.match(changed.message, /victim at 0x[0-9a-f]+: expected the bytes 01 02 03 04 05, found (..\s?){5}/);
  await withBreakpoint(pid, address, async () => {
    const probed = await refused('ENTRY_CHANGED', () => check({ bytes: original }));
    assert.match(probed.message, /found cc .*a breakpoint or a probe stands there/);
  });
  await refused('ENTRY_TOO_SMALL', () => check({ room: 8, detourOffset: 4 }));
  await refused('ENTRY_NOT_CODE', () => check({ address: linkAddress(symbolOf(pie, '__data_start')) }));
  await refused('SYMBOL_OUTSIDE', () => check({ address: linkAddress(0x7000_0000) }));
});

test('a build id is found behind other notes, and not in a truncated one', () => {
  const note = (name: string, type: number, content: string) => {
    const head = Buffer.alloc(12);
    head.writeUInt32LE(name.length + 1, 0);
    head.writeUInt32LE(content.length / 2, 4);
    head.writeUInt32LE(type, 8);
    return Buffer.concat([
      head,
      Buffer.from(name.padEnd(Math.ceil((name.length + 1) / 4) * 4, '\0')),
      Buffer.from(content, 'hex'),
    ]);
  };
  const notes = Buffer.concat([note('GNU', 5, '0200'), Buffer.alloc(2), note('GNU', 3, 'c0ffee00')]);
  assert.is(findBuildId(parseNotes(notes)), 'c0ffee00');
  assert.is(findBuildId(parseNotes(notes.subarray(0, notes.length - 1))), null);
  assert.is(findBuildId(parseNotes(note('FreeBSD', 3, 'c0ffee00'))), null);
});

test.run();
