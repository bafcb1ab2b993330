// SPDX-License-Identifier: MIT
/**
 * Programs that declare safe points (driftpatch.h): the kernel moves none of their threads; each comes along by itself, when it
 * sees a new number in its object's word.
 *
 * The word is found by an ELF note in the object's memory. What a program may have suspended, on stacks that nobody can look
 * at, stands behind a call; so there must be no call among the bytes that change.
 */
import { randomInt } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { instructions, isCall, type Patch, type RunAddress, runAddress } from '../planner/index.js';
import { RuntimeError } from './errors.js';
import { type LoadedObject, loadedObjects } from './proc/object.js';
import type { Process } from './proc/process.js';

const OWNER = 'driftpatch';
const TYPE = 1;
const WORD = 4;

/** Where each object that declares safe points waits for a number; none: the program does not. */
export function safePointWords(
  process: Process,
  objects: readonly LoadedObject[] = loadedObjects(process, process.maps()),
): RunAddress[] {
  return objects.flatMap(({ notes, start, end }) =>
    notes
      .filter(({ owner, type, description }) => owner === OWNER && type === TYPE && description.length === 8)
      .map(({ address, description }) => address + Number(description.readBigInt64LE()))
      .filter((word) => word >= start && word + WORD <= end && word % WORD === 0)
      .map((word) => runAddress(word)),
  );
}

/** Throws if the program declares safe points and an old function begins with what may be suspended. */
export function checkSuspended(process: Process, words: readonly RunAddress[], patch: Patch): void {
  if (words.length === 0) return;
  for (const { name: symbol, old } of patch.functions)
    if (instructions(old.bytes).some((one) => isCall(one) && one.offset + one.length < old.bytes.length))
      throw new RuntimeError('CALL_AT_ENTRY', { symbol, pid: process.pid });
}

/** Asks the threads to come along: any number that the last transition did not have. */
export function callToSafePoints(process: Process, words: readonly RunAddress[]): void {
  writeWords(process, words, randomInt(1, 2 ** 31));
}

/** Nothing is under way any more. If nobody comes to say so, each thread asks once and finds out. */
export function dismissFromSafePoints(process: Process, words: readonly RunAddress[]): void {
  writeWords(process, words, 0);
}

function writeWords(process: Process, words: readonly RunAddress[], number: number): void {
  if (words.length === 0) return;
  const bytes = Buffer.alloc(WORD);
  bytes.writeInt32LE(number);
  const memory = openSync(`${process.folder}/mem`, 'r+');
  try {
    process.checkAlive();
    for (const word of words) writeSync(memory, bytes, 0, WORD, word);
  } finally {
    closeSync(memory);
  }
}
