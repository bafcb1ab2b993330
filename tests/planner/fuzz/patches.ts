// SPDX-License-Identifier: MIT
/** Damaged patch files. Most get a right hash afterwards: otherwise it would be all that is ever tested. */
import { createHash } from 'node:crypto';
import { damaged } from './mutate.js';
import type { Random } from './random.js';

const HASH = 32;

/** Offset of the hash in an undamaged file: the end of its note section. */
function hashAt(file: Uint8Array): number {
  const owner = Buffer.from(file).lastIndexOf('driftpatch\0\0');
  return owner + 12;
}

export function damagedPatch(random: Random, file: Uint8Array, other: Uint8Array): Uint8Array {
  const bytes = random.chance(0.4) ? damagedPlan(random, file) : damaged(random, file, other);
  const at = hashAt(file);
  if (random.chance(0.1) || at + HASH > bytes.length) return bytes;
  bytes.fill(0, at, at + HASH);
  bytes.set(createHash('sha256').update(bytes).digest(), at);
  return bytes;
}

const WORDS = ['null', '0', '-1', '[]', '{}', '""', 'true', '1e9', '0.5', '[[[[', '"\\u001b"', '9007199254740993'];

/** The plan is JSON: a value in it becomes another, in as many bytes. */
function damagedPlan(random: Random, file: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(file);
  const start = Buffer.from(bytes).indexOf('{\n "name"');
  if (start < 0) return bytes;
  const end = bytes.indexOf(0, start);
  const text = Buffer.from(bytes.subarray(start, end < 0 ? bytes.length : end)).toString('latin1');
  const values = [...text.matchAll(/"[^"\n]*"|\d+/g)];
  for (let count = 1 + random.below(3); count > 0; count--) {
    const value = random.pick(values);
    const room = value[0].length;
    const word = /^\d/.test(value[0]) && random.chance(0.6) ? digits(random, room) : random.pick(WORDS);
    if (word.length <= room) bytes.set(Buffer.from(word.padEnd(room)), start + value.index);
  }
  return bytes;
}

const digits = (random: Random, count: number): string =>
  Array.from({ length: count }, (_, i) => `${i === 0 ? 1 + random.below(9) : random.below(10)}`).join('');
