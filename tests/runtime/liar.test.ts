// SPDX-License-Identifier: MIT
// timeout: 300
/**
 * A process that lies: whatever stands in its memory where headers, symbols, lists of objects, notes and records should be, it is looked at
 * in short time, and found wanting with an error of ours or not at all.
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Patch, PatchSymbol } from '../../planner/index.js';
import { apply, RuntimeError, status, symbols } from '../../runtime/index.js';
import { Names } from '../../runtime/names.js';
import { parseMaps } from '../../runtime/proc/maps.js';
import { loadedObjects } from '../../runtime/proc/object.js';
import { resolve } from '../../runtime/resolve.js';
import { safePointWords } from '../../runtime/safe-points.js';
import { findUnwinders } from '../../runtime/unwind/unwinders.js';
import { looking, symbolOf, Workshop } from './live.js';
import { compileFixture, patchFor, startIn } from './states.js';

const CASES = 400;
const LONGEST_MS = 5000;

const workshop = new Workshop();
test.after(() => workshop.clear());

/** Numbers from 0 up to `below`, always the same. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

interface Place {
  readonly start: number;
  readonly size: number;
}

const IMPORTS = ['malloc', 'memcpy', 'strstr', 'no_such_function', '__resp'];
const wanted: PatchSymbol[] = IMPORTS.map((name) => ({ name, binding: { kind: 'import', version: null, weak: true } }));
const patch = { symbols: wanted, unwind: ['f'], functions: [] } as unknown as Patch;

/** All that looks at a process, each by itself; gives the codes of the errors. */
async function lookAt(pid: number, address: number): Promise<string[]> {
  const codes: string[] = [];
  const attempt = async (action: () => unknown) => {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      codes.push(error.code);
    }
  };
  await attempt(() => status({ pid }));
  await attempt(() => symbols({ pid }));
  await attempt(() =>
    looking(pid, async (process) => {
      const maps = process.maps();
      const objects = loadedObjects(process, maps);
      for (const target of objects) {
        await attempt(() => resolve(process, patch, { target, objects }));
        await attempt(() => findUnwinders(process.read.bind(process), process, patch, { target, objects }, []));
      }
      safePointWords(process, objects);
      const names = new Names(process, maps, []);
      const place = names.at(address);
      if (place) names.callerOf(place, maps.find(({ path }) => path === '[stack]')!.end - 8192);
    }),
  );
  return codes;
}

/** Where a lie is believed soonest: the beginnings of objects, what is written in them, and the arena's record. */
function places(pid: number, target: string): Place[] {
  const maps = parseMaps(readFileSync(`/proc/${pid}/maps`, 'utf8'));
  const heads = maps
    .filter(({ offset, inode }) => offset === 0 && inode !== '0')
    .map(({ start }) => ({ start, size: 1024 }));
  const bias = maps.find(({ path }) => path === target)!.start;
  const dynamic = { start: bias + symbolOf(target, '_DYNAMIC'), size: 512 };
  const tables = maps
    .filter(({ offset, inode, read }) => offset === 0 && inode !== '0' && read)
    .map(({ start, end }) => ({ start, size: end - start }));
  const written = maps
    .filter(({ write, inode, path }) => write && (inode !== '0' || path === ''))
    .map(({ start, end }) => ({ start, size: Math.min(end - start, 16384) }));
  const arena = maps
    .filter(({ execute, inode, path }) => execute && inode === '0' && path === '')
    .map(({ start }) => ({ start, size: 512 }));
  return [...heads, dynamic, dynamic, ...tables, ...written, ...arena, ...arena, ...arena];
}

test('whatever its memory says, a process is looked at in short time', async () => {
  const file = compileFixture(workshop, 'states');
  const { pid, child } = await startIn('plain', file, workshop);
  await apply(patchFor(file), { pid, mode: 'stop' });
  const random = numbers(11);
  const memory = openSync(`/proc/${pid}/mem`, 'r+');
  const seen = new Map<string, number>();
  const all = places(pid, file);
  for (let i = 0; i < CASES; i++) {
    const { start, size } = all[random(all.length)]!;
    const before = Buffer.alloc(size);
    if (readSync(memory, before, 0, size, start) < size) continue;
    const lie = Buffer.from(before);
    for (let left = 1 + random(12); left > 0; left--) {
      const at = random(size - 8);
      const value = [0, 0xff, random(256), lie[at]! ^ (1 << random(8))][random(4)]!;
      lie.fill(value, at, at + [1, 2, 4, 8][random(4)]!);
    }
    writeSync(memory, lie, 0, size, start);
    const begun = performance.now();
    for (const code of await lookAt(pid, start)) seen.set(code, (seen.get(code) ?? 0) + 1);
    const taken = performance.now() - begun;
    assert.ok(taken < LONGEST_MS, `case ${i}: ${Math.round(taken)} ms`);
    writeSync(memory, before, 0, size, start);
  }
  closeSync(memory);
  child.kill('SIGKILL');
  console.log(`figure: ${[...seen].map(([code, count]) => `${code} ${count}`).join(', ')}`);
  assert.ok(seen.has('IMPORT_IFUNC') && seen.has('NO_SCOPE'), [...seen.keys()].join(' '));
});

test.run();
