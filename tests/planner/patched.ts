// SPDX-License-Identifier: MIT
/**
 * A program runs with a patch in it, on this machine and without a kernel of ours: before main a preloaded shim maps the arena, and
 * the runtime's own passes (identify, check entries, resolve, link, detours) fill it through /proc/PID/mem.
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { type Patch, type RunAddress, runAddress } from '../../planner/index.js';
import { checkEntries, placeFunctions } from '../../runtime/detour.js';
import { identify } from '../../runtime/identify.js';
import { layOut, PAGE } from '../../runtime/link/layout.js';
import { link } from '../../runtime/link/link.js';
import type { Mapping } from '../../runtime/proc/maps.js';
import { Process } from '../../runtime/proc/process.js';
import { Layered } from '../../runtime/records.js';
import { resolve } from '../../runtime/resolve.js';
import { finderSize, placeFinder } from '../../runtime/unwind/place.js';
import { findUnwinders } from '../../runtime/unwind/unwinders.js';
import { scratchFolder } from './helpers.js';

const shimSource = fileURLToPath(new URL('../../../tests/planner/fixtures/matrix/shim.c', import.meta.url));
let shim: string | null = null;

function buildShim(): string {
  if (shim !== null) return shim;
  const output = join(scratchFolder(), 'shim.so');
  execFileSync('gcc', ['-O1', '-shared', '-fPIC', '-o', output, shimSource]);
  shim = output;
  return output;
}

/** What `program` prints when it runs with `patch` applied. */
export async function runPatched(program: string, patch: Patch): Promise<string> {
  const child = spawn(program, [], {
    env: { ...process.env, LD_PRELOAD: buildShim() },
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  });
  const ended = new Promise<number | string | null>((done) =>
    child.once('exit', (code, signal) => done(code ?? signal)),
  );
  let printed = '';
  child.stdout!.on('data', (chunk) => {
    printed += chunk;
  });
  const closed = new Promise((done) => child.stdout!.once('end', done));
  const control = child.stdio[3] as Duplex;
  const hear = () =>
    Promise.race([
      new Promise<string>((done) => control.once('data', (chunk) => done(String(chunk).trim()))),
      ended.then((status) => `ended with ${status}`),
    ]);
  try {
    assert.is(await hear(), 'ready');
    const target = Process.open(child.pid!);
    try {
      const { arena, size, writes } = prepare(target, patch);
      control.write(`${arena.toString(16)} ${size.toString(16)}\n`);
      assert.is(await hear(), 'mapped');
      const memory = openSync(`/proc/${child.pid}/mem`, 'r+');
      for (const { at, bytes } of writes) assert.is(writeSync(memory, bytes, 0, bytes.length, at), bytes.length);
      closeSync(memory);
      control.write('written\n');
    } finally {
      target.close();
    }
    assert.is(await ended, 0, `the patched program ended badly after:\n${printed}`);
    await closed;
    return printed;
  } finally {
    child.kill('SIGKILL');
  }
}

function prepare(target: Process, patch: Patch) {
  const maps = target.maps();
  const found = identify(target, maps, patch.target);
  const text = new Layered((address, length) => target.read(address, length), maps);
  checkEntries(maps, found.target, patch.functions, [text]);
  const symbols = resolve(target, patch, found);
  const unwinders = findUnwinders(target.read.bind(target), target, patch, found, []);
  const layout = layOut(patch, PAGE, finderSize(patch, unwinders));
  const size = layout.codeSize + layout.dataSize;
  const arena = freeNear(maps, found.target.start, size);
  const { code, data } = link(patch, layout, arena, symbols);
  const finder = placeFinder(patch, layout, arena, unwinders);
  code.set(finder.bytes, layout.finder);
  const detours = placeFunctions(patch, found.target, layout.sections, arena);
  return {
    arena,
    size,
    writes: [
      { at: arena as number, bytes: code },
      { at: arena + layout.codeSize, bytes: data },
      ...detours.map(({ detour, detourBytes }) => ({ at: detour as number, bytes: detourBytes })),
      ...finder.jumps.map(({ at, bytes }) => ({ at: at as number, bytes })),
    ],
  };
}

/** Room within reach of the target: below 2 GiB for one that lies there, as the kernel chooses it. */
function freeNear(maps: readonly Mapping[], start: number, size: number): RunAddress {
  const steps = Array.from({ length: 100 }, (_, i) => (i + 1) * 0x0100_0000);
  const places = start < 0x8000_0000 ? steps.map((step) => 0x1000_0000 + step) : steps.map((step) => start - step);
  const free = places.find((at) => maps.every((mapping) => mapping.end <= at || mapping.start >= at + size));
  if (free === undefined) throw new Error('no room near the target');
  return runAddress(free - (free % PAGE));
}
