// SPDX-License-Identifier: MIT
/** Safe points: how a program that declares them is recognised, and what is refused there. */
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { linkAddress, type Patch } from '../../planner/index.js';
import { RuntimeError } from '../../runtime/errors.js';
import { parseNotes } from '../../runtime/proc/notes.js';
import { loadedObjects } from '../../runtime/proc/object.js';
import { Process } from '../../runtime/proc/process.js';
import { checkSuspended, safePointWords } from '../../runtime/safe-points.js';
import { openWay } from '../../runtime/ways/open.js';
import { Workshop } from './live.js';

const workshop = new Workshop();
test.after(() => workshop.clear());

const header = fileURLToPath(new URL('../../../runtime/', import.meta.url));
const SOURCE = `
  #include <stdio.h>
  #ifdef POINTS
  #include <driftpatch.h>
  #else
  int driftpatch_pending_;
  #define driftpatch_safe_point()
  #endif
  int main(void) { printf("%p\\n", (void *)&driftpatch_pending_); fflush(stdout); driftpatch_safe_point(); return getchar(); }`;

async function started<T>(name: string, flags: string[], action: (process: Process, line: string) => T): Promise<T> {
  const { pid, line } = await workshop.run(workshop.compile(name, SOURCE, `-I${header}`, ...flags));
  const process = Process.open(pid);
  try {
    return action(process, line);
  } finally {
    process.close();
  }
}

const code = (action: () => unknown): string | null => {
  try {
    action();
  } catch (error) {
    if (error instanceof RuntimeError) return error.code;
    throw error;
  }
  return null;
};

for (const [name, flags] of [
  ['pie', ['-fPIE', '-pie']],
  ['exec', ['-fno-pie', '-no-pie']],
] as const)
  test(`the word of a program at ${name === 'pie' ? 'any' : 'a fixed'} address is found in its memory`, async () => {
    await started(name, ['-DPOINTS', ...flags], (process, line) => {
      assert.equal(safePointWords(process), [Number(line)]);
      assert.is(
        code(() => openWay('stop', process, safePointWords(process))),
        'SAFE_POINTS',
      );
    });
  });

test('a program that does not include the header declares none', async () => {
  await started('none', [], (process) => assert.equal(safePointWords(process), []));
});

function patchOver(bytes: string): Patch {
  const old = { address: linkAddress(0x1000), size: 16, room: 16, detourOffset: 0, bytes: Buffer.from(bytes, 'hex') };
  return { functions: [{ name: 'f', old, new: { section: 0, offset: 0, size: 1 }, oldParts: [] }] } as unknown as Patch;
}

test('an old function whose first bytes hold a call that can be suspended is refused', async () => {
  const refused = await started('calls', ['-DPOINTS'], (process) => {
    const words = safePointWords(process);
    return ['53ffd09090', 'e8000000'.padEnd(10, '0'), '904889e5ff', '41ffd39090'].map((bytes) =>
      code(() => checkSuspended(process, words, patchOver(bytes))),
    );
  });
  // push; call *%rax: back at +3. call: back behind the bytes. a call that begins in them. call *%r11: back at +3
  assert.equal(refused, ['CALL_AT_ENTRY', null, null, 'CALL_AT_ENTRY']);
  const free = await started('free', [], (process) =>
    code(() => checkSuspended(process, safePointWords(process), patchOver('53ffd09090'))),
  );
  assert.is(free, null);
});

test('a word that the note puts outside of its object is none', async () => {
  await started('lies', ['-DPOINTS'], (process) => {
    const lie = (distance: bigint) =>
      loadedObjects(process, process.maps()).map((object) => ({
        ...object,
        notes: object.notes.map((note) => {
          const description = Buffer.from(note.description);
          if (note.owner === 'driftpatch') description.writeBigInt64LE(distance);
          return { ...note, description };
        }),
      }));
    for (const distance of [1n << 40n, -(1n << 40n), 1n, (1n << 62n) + 1n])
      assert.equal(safePointWords(process, lie(distance)), []);
  });
});

test('notes that do not add up end the list', () => {
  const note = Buffer.from('0b000000080000000100000064726966747061746368000001020304', 'hex');
  assert.equal(parseNotes(note), []);
  const whole = Buffer.concat([note, Buffer.from('05060708', 'hex')]);
  assert.equal(
    parseNotes(whole).map(({ owner, type, at, description }) => [owner, type, at, description.toString('hex')]),
    [['driftpatch', 1, 24, '0102030405060708']],
  );
  assert.is(parseNotes(Buffer.concat([whole, whole])).length, 2);
});

test.run();
