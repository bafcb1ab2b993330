// SPDX-License-Identifier: MIT
/** One library in many processes, and several commands at once that mean the same of them: with --mode stop. */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildIdOf, symbolOf, Workshop } from './live.js';
import { patchFile } from './patches.js';

const CLI = new URL('../../runtime/driftpatch.js', import.meta.url).pathname;
const workshop = new Workshop();
test.after(() => workshop.clear());

const library = join(workshop.folder, 'libvictim.so');
writeFileSync(`${library}.c`, 'int victim(int x) { for (int i = 0; i < x; i++) x = x * 3 + 1; return x; }\n');
execFileSync('gcc', ['-O1', '-shared', '-fPIC', '-Wl,--build-id=sha1', '-o', library, `${library}.c`]);

const program = (name: string, how: string, ...flags: string[]) =>
  workshop.compile(
    name,
    `#include <dlfcn.h>
     #include <stdio.h>
     int victim(int);
     int main(void) {
       ${how}
       char line[64];
       puts("ready"); fflush(stdout);
       while (fgets(line, sizeof(line), stdin)) { printf("%d\\n", call(0)); fflush(stdout); }
       return 0;
     }`,
    ...flags,
  );
const linked = program(
  'linked',
  'int (*call)(int) = victim;',
  '-Wl,--no-as-needed',
  library,
  `-Wl,-rpath,${workshop.folder}`,
);
const opened = program('opened', `int (*call)(int) = dlsym(dlopen("${library}", RTLD_NOW), "victim");`);

const address = symbolOf(library, 'victim');
const bytes = readFileSync(library).subarray(address, address + 5);
const patch = patchFile({ buildId: buildIdOf(library), address, bytes });
const file = join(workshop.folder, 'return-42.drift');
writeFileSync(file, patch);
/** Other suites have patches of this name in processes of theirs. */
const name = createHash('sha256').update(patch).digest('hex').slice(0, 16);

async function start(executable: string) {
  const { pid, child } = await workshop.run(executable);
  const ask = () =>
    new Promise<number>((resolve) => {
      child.stdout!.once('data', (chunk) => resolve(Number(String(chunk))));
      child.stdin!.write('\n');
    });
  const arenas = () => readFileSync(`/proc/${pid}/maps`, 'utf8').match(/ r-xp 00000000 00:00 0 *$/gm)?.length ?? 0;
  return { pid, ask, arenas };
}

const run = (...args: string[]) =>
  new Promise<{ state?: string; processes?: { pid: number; state: string }[] }>((resolve, reject) => {
    execFile(process.execPath, [CLI, ...args, '--mode', 'stop', '--json'], (error, stdout, stderr) => {
      if (error) reject(new Error(`${args.join(' ')}: ${stderr}`));
      else resolve(JSON.parse(stdout));
    });
  });

test('a library is patched in all processes that have it, by however many commands, and reverted', async () => {
  const all = await Promise.all([linked, linked, opened, opened].map(start));
  const answers = () => Promise.all(all.map(({ ask }) => ask()));
  assert.equal(await answers(), [0, 0, 0, 0]);
  const one = ['--pid', String(all[1]!.pid)];

  const [many, single] = await Promise.all([run('apply', file, '--all'), run('apply', file, ...one)]);
  assert.equal(many!.processes!.map(({ pid }) => pid).sort(), all.map(({ pid }) => pid).sort());
  assert.ok(many!.processes!.every(({ state }) => state === 'applied'));
  assert.is(single!.state, 'applied');
  assert.equal(await answers(), [42, 42, 42, 42]);

  const [back] = await Promise.all([run('revert', name, '--all'), run('revert', name, ...one)]);
  assert.is(back!.processes!.length, 4);
  assert.equal(await answers(), [0, 0, 0, 0]);

  const [again, gone] = await Promise.all([run('apply', file, ...one), run('revert', name, ...one)]);
  assert.equal([again!.state, gone!.state], ['applied', 'reverted']);
  assert.ok([0, 42].includes(await all[1]!.ask()));
  assert.equal(
    all.map(({ arenas }) => arenas()),
    [1, 1, 1, 1],
  );
});

test.run();
