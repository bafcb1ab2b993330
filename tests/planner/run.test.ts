// SPDX-License-Identifier: MIT
/**
 * Emitted code is really run: a shared library is loaded into this process, its patch is linked beside it by a few lines that
 * do what the relocation types say, and the new functions are called.
 */
import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Patch, readPatch, writePatch } from '../../planner/index.js';
import { compilePair, diffPair } from './helpers.js';

const test = suite('run');
const libc = koffi.load('libc.so.6');
const mmap = libc.func('uintptr_t mmap(uintptr_t at, size_t size, int protection, int flags, int fd, long offset)');
const mprotect = libc.func('int mprotect(uintptr_t at, size_t size, int protection)');
const memcpy = libc.func('uintptr_t memcpy(uintptr_t to, const uint8_t *from, size_t size)');
const SIZE = 1 << 16;
const MAP_PRIVATE_ANONYMOUS_FIXED_NOREPLACE = 0x100022;

function loadBias(path: string): number {
  const line = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .find((entry) => entry.endsWith(path));
  return Number.parseInt(line!, 16);
}

/** Free memory within reach of a rel32 field. */
function mapNear(bias: number): number {
  for (let distance = 1 << 24; distance < 1 << 30; distance += 1 << 22) {
    const at = Number(mmap(bias - distance, SIZE, 3, MAP_PRIVATE_ANONYMOUS_FIXED_NOREPLACE, -1, 0));
    if (at === bias - distance) return at;
  }
  throw new Error('no free memory near the library');
}

/** Addresses of the patch's sections, after everything is in place. */
function link(patch: Patch, bias: number): number[] {
  const start = mapNear(bias);
  const image = new Uint8Array(SIZE);
  const view = new DataView(image.buffer);
  let end = 0;
  const at = patch.sections.map(({ align, size, bytes }) => {
    const place = Math.ceil(end / align) * align;
    image.set(bytes, place);
    end = place + size;
    return place;
  });
  for (const { section, offset, type, symbol, addend } of patch.relocations) {
    const { binding } = patch.symbols[symbol]!;
    assert.is.not(binding.kind, 'import');
    const value =
      binding.kind === 'patch'
        ? start + at[binding.section]! + binding.offset
        : bias + (binding as { address: number }).address;
    const place = at[section]! + offset;
    if (type === 1) view.setBigUint64(place, BigInt(value + addend), true);
    else view.setInt32(place, value + addend - (start + place), true);
  }
  memcpy(start, image, SIZE);
  // variables and code share the few pages here
  assert.is(mprotect(start, SIZE, 7), 0);
  return at.map((place) => start + place);
}

test('new code runs, with the old library’s functions and variables', () => {
  const pair = compilePair('library.c', { flags: ['-fPIC', '-shared'] });
  const result = diffPair(pair);
  assert.equal(result.refusals, []);
  const patch = readPatch(writePatch(result.patch!));
  const old = koffi.load(pair.oldPath);
  const bias = loadBias(pair.oldPath);
  const places = link(patch, bias);
  const entry = (name: string) => {
    const { section, offset } = patch.functions.find((fn) => fn.name === name)!.new;
    return BigInt(places[section]! + offset);
  };
  const call = (name: string, prototype: string, ...values: number[]) =>
    koffi.call(entry(name), koffi.proto(prototype), ...values);

  const helper = old.func('int helper(int)');
  const say = old.func('const char *say(int)');
  const oldCompute = old.func('uintptr_t address_of_compute()');
  assert.is(helper(1), 101);
  assert.is(say(3), 'old 3');
  // even: the old helper; odd: the new function, which counts its calls and has a variable of its own
  assert.is(call('compute', 'int compute_0(int)', 2), 103);
  assert.is(call('compute', 'int compute_1(int)', 1), 104 + 1000 + 1);
  assert.is(call('compute', 'int compute_2(int)', 1), 105 + 1000 + 2);
  assert.is(helper(0), 105);
  assert.is(call('say', 'const char *say_0(int)', 4), 'new 4 111.000');
  // every way through the switch; calls by exported names go to the old entries, which no detour leads on from here
  const pick = (x: number, y: number) => call('pick', `int pick_${x + 1}_${y}(int, int)`, x, y);
  assert.equal(
    [0, 1, 2, 3, 4, 5, 6, 7, -1].map((x) => pick(x, 10)),
    [115, 30, 125, 6, 95, 125, -66, -1, -1],
  );
  // the address of a replaced function stays the old entry
  assert.is(call('address_of_compute', 'uintptr_t address_0()'), oldCompute());
});

test.run();
