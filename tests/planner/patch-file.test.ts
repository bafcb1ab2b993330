// SPDX-License-Identifier: MIT
/** The patch file: what is written is read back, binutils understand it, and nothing that was tampered with is believed. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PatchFileError, readPatch, writePatch } from '../../planner/index.js';
import { compilePair, diffPair, scratchFolder } from './helpers.js';

const test = suite('patch-file');
const result = diffPair(compilePair('program.c', { new: ['-DONE=7', '-DSHIFT'] }));
const patch = result.patch!;
const file = writePatch(patch);

/** Puts the right hash into a file that was changed, so that the reader's other checks have to find the change. */
function signed(bytes: Uint8Array): Uint8Array {
  const at = Buffer.from(file).indexOf(hashOf(file));
  bytes.fill(0, at, at + 32);
  bytes.set(createHash('sha256').update(bytes).digest(), at);
  return bytes;
}

function hashOf(bytes: Uint8Array): Buffer {
  const owner = Buffer.from(bytes).lastIndexOf('driftpatch\0\0');
  return Buffer.from(bytes.subarray(owner + 12, owner + 44));
}

const codeOf = (bytes: Uint8Array): string => {
  try {
    readPatch(bytes);
    return 'read';
  } catch (error) {
    if (error instanceof PatchFileError) return error.code;
    throw error;
  }
};

test('what is written is read back', () => {
  const back = readPatch(file);
  assert.equal(
    { ...back, sections: back.sections.map((s) => ({ ...s, bytes: [...s.bytes] })), functions: [] },
    {
      ...patch,
      sections: patch.sections.map((s) => ({ ...s, bytes: [...s.bytes] })),
      functions: [],
    },
  );
  assert.is(back.functions.length, patch.functions.length);
  assert.is(back.functions[0]!.old.address, patch.functions[0]!.old.address);
  assert.equal(writePatch(back), file);
});

test('readelf and objdump read it without a word of complaint', () => {
  const path = join(scratchFolder(), 'fix.drift');
  writeFileSync(path, file);
  for (const command of [
    ['readelf', '-aW', path],
    ['objdump', '-dr', path],
  ]) {
    const output = execFileSync('sh', ['-c', `${command.join(' ')} 2>&1`], { encoding: 'utf8' });
    assert.not.match(output, /warning|error|corrupt/i);
    assert.match(output, /count/);
  }
});

test('the linker accepts it as an object', () => {
  const path = join(scratchFolder(), 'fix-link.drift');
  writeFileSync(path, file);
  execFileSync('ld', ['-r', path, '-o', `${path}.o`]);
});

test('a changed byte anywhere is noticed', () => {
  for (let at = 64; at < file.length; at += 7) {
    const bytes = Uint8Array.from(file);
    bytes[at]! ^= 0x41;
    assert.is.not(codeOf(bytes), 'read', `offset ${at}`);
  }
});

test('a cut-off file is an error at every length', () => {
  for (let size = 0; size < file.length; size += 13)
    assert.is.not(codeOf(file.slice(0, size)), 'read', `${size} bytes`);
});

test('damage with the right hash is an error or a valid patch, never a fault', () => {
  let seed = 99;
  const next = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed >>> 8;
  };
  const seen = new Map<string, number>();
  for (let round = 0; round < 3000; round++) {
    const bytes = Uint8Array.from(file);
    for (let i = 0; i < 1 + (round % 4); i++) bytes[next() % bytes.length] = next() & 0xff;
    const code = codeOf(signed(bytes));
    seen.set(code, (seen.get(code) ?? 0) + 1);
  }
  console.log(`  ${[...seen].map(([code, count]) => `${code} ${count}`).join(', ')}`);
  assert.is(seen.get('HASH') ?? 0, 0);
  assert.ok((seen.get('DAMAGED') ?? 0) > 100);
});

test('other files are told apart from damaged ones', () => {
  assert.is(codeOf(new Uint8Array(0)), 'NOT_A_PATCH');
  assert.is(codeOf(Buffer.from('#!/bin/sh\n')), 'NOT_A_PATCH');
  assert.is(codeOf(compilePair('program.c', { new: ['-DONE=7', '-DSHIFT'] }).old), 'NOT_A_PATCH');
  const changed = Uint8Array.from(file);
  changed[70]! ^= 1;
  assert.is(codeOf(changed), 'HASH');
});

test('a relocation outside of its section is an error although the hash is right', () => {
  const bytes = Uint8Array.from(file);
  const view = new DataView(bytes.buffer);
  const headers = Number(view.getBigUint64(40, true));
  const count = view.getUint16(60, true);
  for (let i = 0; i < count; i++) {
    const header = headers + i * 64;
    if (view.getUint32(header + 4, true) !== 4) continue;
    view.setBigUint64(Number(view.getBigUint64(header + 24, true)), 0xffffffn, true);
  }
  assert.throws(
    () => readPatch(signed(bytes)),
    (error: unknown) =>
      error instanceof PatchFileError && error.code === 'DAMAGED' && /a field within/.test(error.message),
  );
});

test.run();
