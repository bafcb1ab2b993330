// SPDX-License-Identifier: MIT
// timeout: 300
/**
 * Patch files that somebody has changed, with a hash that fits again, against a live process: up to the moment at which it would come to
 * run something else, each is an error of ours or an arena that is given back, and the process does not notice.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { apply, RuntimeError } from '../../runtime/index.js';
import { Workshop } from './live.js';
import { compileFixture, patchFor, startIn } from './states.js';

const CASES = 1500;

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

const HASH = 32;

function hashOf(file: Uint8Array, at: number): Buffer {
  const without = Buffer.from(file).fill(0, at, at + HASH);
  return createHash('sha256').update(without).digest();
}

/** Where the file has its own hash. */
function hashIn(file: Buffer): number {
  for (let at = 0; at + HASH <= file.length; at++) if (hashOf(file, at).equals(file.subarray(at, at + HASH))) return at;
  throw new Error('expected a hash in the patch file, found none');
}

/** Some bytes are others, and the hash fits. */
function damaged(file: Buffer, hashAt: number, random: (below: number) => number): Buffer {
  const copy = Buffer.from(file);
  for (let left = 1 + random(3); left > 0; left--) {
    const at = random(copy.length);
    copy[at] = [copy[at]! ^ (1 << random(8)), 0, 0xff, random(256)][random(4)]!;
  }
  hashOf(copy, hashAt).copy(copy, hashAt);
  return copy;
}

class Enough extends Error {}

test('hostile patch files do a live process no harm', async () => {
  const states = compileFixture(workshop, 'states');
  const file = Buffer.from(patchFor(states));
  const hashAt = hashIn(file);
  const random = numbers(5);
  const { pid, ask } = await startIn('registers', states, workshop);
  const ends = new Map<string, number>();
  for (let i = 0; i < CASES; i++) {
    const end = await endOf(damaged(file, hashAt, random), pid);
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  const { victim, broken } = await ask();
  assert.equal([victim, broken], [1, 0]);
  const arenas = readFileSync(`/proc/${pid}/maps`, 'utf8').match(/ r-xp 00000000 00:00 0 *(\[anon.*)?$/gm);
  assert.is(arenas, null);
  console.log(`figure: ${[...ends].map(([end, count]) => `${end} ${count}`).join(', ')}`);
  assert.ok(ends.has('PATCH_UNUSABLE') && ends.has('enough'), [...ends.keys()].join(' '));
});

async function endOf(bytes: Uint8Array, pid: number): Promise<string> {
  try {
    await apply(bytes, {
      pid,
      mode: 'stop',
      onEvent: (event) => {
        if (event.kind === 'step' && event.step === 'migrate') throw new Enough();
      },
    });
    return assert.unreachable('it went all the way') as never;
  } catch (error) {
    if (error instanceof Enough) return 'enough';
    if (error instanceof RuntimeError) return error.code;
    throw error;
  }
}

test.run();
