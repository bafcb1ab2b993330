// SPDX-License-Identifier: MIT
/**
 * A patch linked at a made-up address says the same as the new file: instruction by instruction, decoded by iced-x86,
 * every branch and every address leads to what has the same name, or the same bytes, as in the new file.
 */
import { Decoder, DecoderOptions } from 'iced-x86';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { jumpTableAt } from '../../planner/compare/constants.js';
import { referentAt } from '../../planner/compare/referent.js';
import { makeSide, type Side } from '../../planner/compare/side.js';
import { bytesAt } from '../../planner/elf/image.js';
import { openElf } from '../../planner/elf/open.js';
import { type Patch, readPatch, writePatch } from '../../planner/index.js';
import { compilePair, corpusPair, diffPair, hasCorpus, type Pair } from './helpers.js';

const test = suite('link');
const ARENA = 0x10000000;

interface Linked {
  readonly at: readonly number[];
  readonly memory: Uint8Array;
}

function link(patch: Patch): Linked {
  let end = 0;
  const at = patch.sections.map(({ align, size }) => {
    const place = Math.ceil(end / align) * align;
    end = place + size;
    return place;
  });
  const memory = new Uint8Array(end);
  patch.sections.forEach(({ bytes }, i) => {
    memory.set(bytes, at[i]!);
  });
  const view = new DataView(memory.buffer);
  for (const { section, offset, type, symbol, addend } of patch.relocations) {
    const { binding } = patch.symbols[symbol]!;
    if (binding.kind === 'import') throw new Error('no fixture here has imports of its own');
    const value = binding.kind === 'patch' ? ARENA + at[binding.section]! + binding.offset : binding.address;
    const place = at[section]! + offset;
    if (type === 1) view.setBigUint64(place, BigInt(value + addend), true);
    else view.setInt32(place, value + addend - (ARENA + place), true);
  }
  return { at: at.map((place) => ARENA + place), memory };
}

/** Where each instruction that has one leads, from iced's view of it. */
function exits(code: Uint8Array, address: number): { target: number; text: string }[] {
  const decoder = new Decoder(64, code, DecoderOptions.None);
  decoder.ip = BigInt(address);
  const found: { target: number; text: string }[] = [];
  while (decoder.canDecode) {
    const instruction = decoder.decode();
    const target = instruction.isIpRelMemoryOperand ? instruction.ipRelMemoryAddress : instruction.nearBranchTarget;
    found.push({ target: Number(target), text: `${instruction.code} ${instruction.length}` });
    instruction.free();
  }
  decoder.free();
  return found;
}

/** A name for what is at `address`, without addresses in it. */
function nameAt(side: Side, address: number): string {
  const referent = referentAt(side, address);
  if (referent.kind === 'function') return `${referent.fn.name}+${referent.offset}`;
  if (referent.kind === 'object') return `${referent.object.name}+${referent.offset}`;
  if (referent.kind === 'constant') return `constant ${Buffer.from(bytesAt(side.image, address, 8)!).toString('hex')}`;
  if (referent.kind === 'unknown' || referent.kind === 'pointer' || referent.kind === 'tls') return referent.kind;
  return `${referent.kind} ${referent.name}`;
}

function check(pair: Pair): number {
  const result = diffPair(pair);
  assert.equal(result.refusals, []);
  const patch = readPatch(writePatch(result.patch!));
  const { at, memory } = link(patch);
  const before = makeSide(openElf(pair.old, 'old'));
  const after = makeSide(openElf(pair.new, 'new'));
  const inArena = (address: number) => address >= ARENA && address < ARENA + memory.length;
  let followed = 0;
  for (const fn of patch.functions) {
    const now = [...after.functions].find(
      ({ names, address }) =>
        names.includes(fn.name) && address === result.functions.find((f) => f.name === fn.name)?.new?.address,
    )!;
    const start = at[fn.new.section]! + fn.new.offset;
    const linked = exits(memory.subarray(start - ARENA, start - ARENA + fn.new.size), start);
    const original = exits(bytesAt(after.image, now.address, now.size)!, now.address);
    assert.is(linked.length, original.length);
    linked.forEach(({ target: first, text }, i) => {
      const wanted = original[i]!;
      // a short branch goes by a stub
      const stub =
        text.endsWith(' 2') &&
        inArena(first) &&
        memory[first - ARENA] === 0xe9 &&
        (first < start || first >= start + fn.new.size);
      const target = stub ? first + 5 + new DataView(memory.buffer).getInt32(first - ARENA + 1, true) : first;
      assert.is(text, wanted.text);
      if (wanted.target === 0) return;
      followed++;
      if (wanted.target >= now.address && wanted.target < now.address + now.size) {
        assert.is(target - start, wanted.target - now.address, 'a place in the function');
        return;
      }
      const wantedName = nameAt(after, wanted.target);
      if (!inArena(target)) {
        assert.is(nameAt(before, target), wantedName);
        return;
      }
      const symbol = patch.symbols.find(
        ({ name, binding }) =>
          binding.kind === 'patch' && wantedName === `${name}+0` && at[binding.section]! + binding.offset === target,
      );
      if (symbol) return;
      const table = jumpTableAt(after, wanted.target, now);
      if (table) {
        const entries = new DataView(memory.buffer, target - ARENA);
        table.targets.forEach((entry, n) => {
          if (entry < now.address || entry >= now.address + now.size) return;
          assert.is(target + entries.getInt32(n * 4, true) - start, entry - now.address, `entry ${n}`);
        });
        return;
      }
      const length = Math.min(8, memory.length - (target - ARENA));
      const copy = Buffer.from(memory.subarray(target - ARENA, target - ARENA + length));
      const text8 = Buffer.from(bytesAt(after.image, wanted.target, length)!);
      const end = text8.indexOf(0);
      const size = end > 0 ? end + 1 : length;
      assert.is(copy.subarray(0, size).toString('hex'), text8.subarray(0, size).toString('hex'), wantedName);
    });
  }
  return followed;
}

for (const one of [1, 2, 3, 4, 5, 6, 7, 9, 10, 11])
  test(`program.c with change ${one}`, () => {
    assert.ok(check(compilePair('program.c', { new: [`-DONE=${one}`, '-DSHIFT'] })) > 0);
  });

for (const flags of [['-Os'], ['-O3', '-fno-plt'], ['-O1', '-fcf-protection=full'], ['-O2', '-Wl,-z,lazy']])
  test(`program.c built with ${flags.join(' ')}`, () => {
    for (const one of [3, 5, 7])
      assert.ok(check(compilePair('program.c', { flags, new: [`-DONE=${one}`, '-DSHIFT'] })) > 0);
  });

const withCorpus = hasCorpus('memcached') ? test : test.skip;
for (const fix of ['005', '006', '007'])
  withCorpus(`memcached's fix ${fix}`, () => {
    const followed = check(corpusPair('memcached', fix));
    console.log(`  ${followed} references`);
    assert.ok(followed > 10);
  });

test.run();
