// SPDX-License-Identifier: MIT
/**
 * Reverting, and many processes at once, on this machine's own kernel: with --mode stop. What views add to it is tested in
 * the guest.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { apply, applyToMany, type JobOptions, revert, revertInMany, status } from '../../runtime/index.js';
import { buildIdOf, refused, symbolOf, Workshop } from './live.js';
import { patchFile } from './patches.js';

const CLI = new URL('../../runtime/driftpatch.js', import.meta.url).pathname;
const workshop = new Workshop();
test.after(() => workshop.clear());

/** Prints what victim() gives for each line it is sent; with "fork" it has a child that sleeps, whose pid is its first line. */
const SOURCE = `
#include <stdio.h>
#include <string.h>
#include <unistd.h>
__attribute__((noipa)) int victim(int x) { for (int i = 0; i < x; i++) x = x * 3 + 1; return x; }
int main(int argc, char **argv) {
  char line[64];
  int child = argc > 1 ? fork() : 0;
  if (argc > 1 && !child) { pause(); return 0; }
  printf("%d\\n", argc > 1 ? child : victim(0));
  fflush(stdout);
  while (fgets(line, sizeof(line), stdin)) {
    if (!strcmp(line, "exec\\n")) execl("/bin/sleep", "sleep", "60", NULL);
    printf("%d\\n", victim(0));
    fflush(stdout);
  }
  return 0;
}
`;
const program = workshop.compile('victims', SOURCE, '-pie', '-fPIE');
const other = workshop.compile('bystander', SOURCE, '-pie', '-fPIE', '-O0');
const address = symbolOf(program, 'victim');
/** In a PIE that gcc links, .text is mapped at its file offset. */
const bytes = readFileSync(program).subarray(address, address + 5);
const patch = patchFile({ buildId: buildIdOf(program), address, bytes });
const file = join(workshop.folder, 'return-42.drift');
writeFileSync(file, patch);
const stop: Omit<JobOptions, 'pid'> = { mode: 'stop', timeout: 10 };

async function start(executable = program, ...args: string[]) {
  const { pid, child, line } = await workshop.run(executable, ...args);
  const ask = () =>
    new Promise<number>((resolve) => {
      child.stdout!.once('data', (chunk) => resolve(Number(String(chunk))));
      child.stdin!.write('\n');
    });
  return { pid, child, line, ask, end: () => child.kill('SIGKILL') };
}

const arenas = (pid: number) =>
  readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .filter((line) => / r-xp 00000000 00:00 0 *$/.test(line));
const stateOf = (pid: number) => status({ pid }).processes[0]!.patches.map(({ state }) => state);

function run(...args: string[]) {
  const { status: code, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
  return { code, stdout, stderr };
}

test('ten rounds of applying and reverting: each has its effect, and there is one arena', async () => {
  const { pid, ask, end } = await start();
  for (let round = 0; round < 10; round++) {
    assert.is((await apply(patch, { pid, ...stop })).state, 'applied');
    assert.is(await ask(), 42);
    assert.is((await revert('return-42', { pid, ...stop })).state, 'reverted');
    assert.is(await ask(), 0);
  }
  assert.equal([arenas(pid).length, stateOf(pid)], [1, ['inactive']]);
  assert.is((await revert('return-42', { pid, ...stop })).already, true);
  end();
});

test('a process without the patch has nothing to revert, and says what it carries', async () => {
  const { pid, end } = await start();
  const error = await refused('NOT_CARRIED', () => revert('return-42', { pid, ...stop }));
  assert.match(error.message, /carries no patch return-42 \(it carries none\)/);
  end();
});

test('a patch is found by the head of its hash, too', async () => {
  const { pid, end } = await start();
  await apply(patch, { pid, ...stop });
  const { patchHash } = status({ pid }).processes[0]!.patches[0]!;
  await refused('NOT_CARRIED', () => revert(patchHash.slice(0, 7), { pid, ...stop }));
  assert.is((await revert(patchHash.slice(0, 8), { pid, ...stop })).patch, 'return-42');
  end();
});

test('every process of a program is patched, children included, and nobody else', async () => {
  const all = [await start(), await start(), await start(program, 'fork')];
  const bystander = await start(other);
  const child = Number(all[2]!.line);
  const result = await applyToMany(patch, { exe: program }, stop);
  assert.equal(
    result.processes.map(({ pid, state }) => [pid, state]).sort(),
    [...all.map(({ pid }) => pid), child].sort().map((pid) => [pid, 'applied']),
  );
  assert.equal([result.unsettled, await all[0]!.ask(), await bystander.ask()], [false, 42, 0]);
  const again = await applyToMany(patch, { exe: program }, stop);
  assert.ok(again.processes.every(({ already }) => already));

  const listed = run('list', '--json');
  const rows = JSON.parse(listed.stdout).patches.filter((row: { patch: string }) => row.patch === 'return-42');
  assert.ok(rows.length >= 4 && rows.some((row: { pid: number; state: string }) => row.pid === child));
  assert.match(run('list').stdout, /victims +│ return-42 │ [0-9a-f]{12} │ applied/);

  const back = await revertInMany('return-42', { exe: program }, stop);
  assert.ok(back.processes.every(({ state }) => state === 'reverted'));
  assert.is(await all[1]!.ask(), 0);
  process.kill(child, 'SIGKILL');
  for (const one of [...all, bystander]) one.end();
});

test('of many, one that is refused does not keep the others from being patched: status 4', async () => {
  const [good, bad] = [await start(), await start()];
  const bias = Number.parseInt(readFileSync(`/proc/${bad.pid}/maps`, 'utf8'), 16);
  writeMemory(bad.pid, bias + address, Buffer.from([0xcc]));
  const { code, stdout } = run('apply', file, '--exe', program, '--mode', 'stop', '--json');
  assert.is(code, 4);
  const result = JSON.parse(stdout);
  assert.equal(
    result.processes.map((one: { pid: number; state: string }) => [one.pid, one.state]).sort(),
    [
      [good.pid, 'applied'],
      [bad.pid, 'refused'],
    ].sort(),
  );
  const refusal = result.processes.find((one: { state: string }) => one.state === 'refused').refusals[0];
  assert.is(refusal.code, 'ENTRY_CHANGED');
  for (const one of [good, bad]) one.end();
});

function writeMemory(pid: number, at: number, content: Buffer): void {
  const script =
    'import os,sys\nf=os.open("/proc/%s/mem"%sys.argv[1],os.O_RDWR)\nos.pwrite(f,bytes.fromhex(sys.argv[3]),int(sys.argv[2]))';
  const { status: code, stderr } = spawnSync('python3', ['-c', script, `${pid}`, `${at}`, content.toString('hex')]);
  assert.is(code, 0, String(stderr));
}

test('a process that ends or executes another program meanwhile is gone, and no failure', async () => {
  const [stays, ends, execs] = [await start(), await start(), await start()];
  const onEvent = (event: { kind: string; step?: string }, { pid }: { pid: number }) => {
    if (event.kind !== 'step' || event.step !== 'link') return;
    if (pid === ends.pid) ends.end();
    if (pid === execs.pid) execs.child.stdin!.write('exec\n');
    const changed = () => {
      try {
        return !readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(program);
      } catch {
        return true;
      }
    };
    if (pid !== stays.pid) while (!changed());
  };
  const result = await applyToMany(patch, { exe: program }, { ...stop, onEvent });
  const states = new Map(result.processes.map(({ pid, state }) => [pid, state]));
  assert.equal([states.get(stays.pid), states.get(ends.pid), states.get(execs.pid)], ['applied', 'gone', 'gone']);
  for (const one of [stays, execs]) one.end();
});

test('a selection without any process is said to be that, with status 4', () => {
  const { code, stderr, stdout } = run('apply', file, '--exe', '/bin/true', '--mode', 'stop', '--json');
  assert.is(code, 4);
  assert.match(stderr, /no process of \/.*true has pie with build id [0-9a-f]+ loaded/);
  assert.equal(JSON.parse(stdout).refusals[0].code, 'NO_TARGETS');
  assert.is(run('revert', 'no-such-patch', '--all', '--mode', 'stop').code, 4);
});

test('only one of --pid, --exe and --all may be given', () => {
  const { code, stderr } = run('apply', file, '--pid', '1', '--all');
  assert.is(code, 2);
  assert.match(stderr, /give only one of --pid N, --exe PATH and --all/);
});

test.run();
