// SPDX-License-Identifier: MIT
// timeout: 400
/**
 * Patch files of many kinds of code, and of real fixes where the corpus is: binutils read them without a word, they are the same bytes
 * each time, and the reader gives back what was written. DRIFTPATCH_ALL_PAIRS=1: of every fix, not of each program's first alone.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { diff, readPatch, writePatch } from '../../planner/index.js';
import { corpusPairs } from '../../zx-scripts/bench/pairs.js';
import { type Build, compilePair, scratchFolder } from './helpers.js';

const test = suite('patch-file-corpus');

const fixtures: readonly [string, Build][] = [
  ['program.c', { new: ['-DONE=2'] }],
  ['program.c', { flags: ['-O0'], new: ['-DONE=3'] }],
  ['program.c', { flags: ['-O3', '-ffunction-sections', '-Wl,--emit-relocs'], new: ['-DONE=4', '-DSHIFT'] }],
  ['program.c', { flags: ['-fcf-protection=full'], new: ['-DONE=7'] }],
  ['library.c', { flags: ['-fPIC', '-shared'] }],
];

/** What readelf and objdump say on stderr, and warnings anywhere. */
function complaints(path: string): string[] {
  return [
    ['readelf', '-aW', path],
    ['objdump', '-dr', path],
    ['objdump', '-x', path],
  ].flatMap(([tool, ...args]) => {
    const { status, stdout, stderr } = spawnSync(tool!, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
    const said = [
      ...stderr.split('\n'),
      ...stdout.split('\n').filter((line) => /warning:|corrupt|<unknown/i.test(line)),
    ];
    return [...said.filter(Boolean), ...(status === 0 ? [] : [`${tool}: status ${status}`])];
  });
}

let patches = 0;
function check(name: string, old: Uint8Array, now: Uint8Array): void {
  const make = () =>
    diff(old, now, { oldName: name, name: 'fix', allow: [{ code: 'DATA_CHANGED', symbol: null }] }).patch;
  const patch = make();
  if (patch === null) return;
  const bytes = writePatch(patch);
  assert.ok(Buffer.from(writePatch(make()!)).equals(bytes), `${name}: other bytes the second time`);
  assert.ok(Buffer.from(writePatch(readPatch(bytes))).equals(bytes), `${name}: other bytes after reading`);
  const path = join(scratchFolder(), `${patches++}.drift`);
  writeFileSync(path, bytes);
  assert.equal(complaints(path), [], name);
}

test('patches of fixtures', () => {
  for (const [source, build] of fixtures) {
    const pair = compilePair(source, build);
    check(`${source}-${JSON.stringify(build)}`.replaceAll('/', '-'), pair.old, pair.new);
  }
  assert.is(patches, fixtures.length);
});

const pairs = await corpusPairs(process.env.DRIFTPATCH_ALL_PAIRS !== '1', {
  onStep: () => {},
  say: () => {},
  end: () => {},
});
if (pairs === null) console.log('skipped: no corpus');
for (const { name, old, new: now } of pairs ?? []) {
  test(`patch of ${name}`, () => check(name.replaceAll('/', '-'), readFileSync(old), readFileSync(now)));
}

test('most of them are patches', () => {
  console.log(`figure: ${patches} patches read by binutils`);
  assert.ok(patches >= fixtures.length + (pairs ?? []).length / 3, `${patches} patches`);
});

test.run();
