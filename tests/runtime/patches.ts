// SPDX-License-Identifier: MIT
/** Patch files made by hand for tests: one function of a program gets a new body that returns 42. */
import { linkAddress, type Patch, writePatch } from '../../planner/index.js';

/** mov $42,%eax; ret */
const BODY = Buffer.from('b82a000000c3', 'hex');

export interface Victim {
  readonly buildId: string;
  readonly address: number;
  readonly bytes: Uint8Array;
}

export function patchOf({ buildId, address, bytes }: Victim): Patch {
  return {
    schema: 1,
    name: 'return-42',
    tool: 'tests',
    target: { name: 'pie', buildId, kind: 'pie' },
    sections: [{ name: '.text.victim', kind: 'code', align: 16, size: BODY.length, bytes: BODY }],
    symbols: [],
    relocations: [],
    functions: [
      {
        name: 'victim',
        old: { address: linkAddress(address), size: 16, room: 16, detourOffset: 0, bytes },
        new: { section: 0, offset: 0, size: BODY.length },
        oldParts: [],
      },
    ],
    unwind: [],
    original: [],
    notes: [],
  };
}

export const patchFile = (victim: Victim): Uint8Array => writePatch(patchOf(victim));
