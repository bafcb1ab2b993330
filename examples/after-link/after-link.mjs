// SPDX-License-Identifier: MIT
// @ts-check
/**
 * A step behind the linker: compares what was linked just now with the build that runs out there, and writes the patch from that
 * to this beside it, so that every build comes with its patch or with the reason why there is none.
 *
 *     node after-link.mjs PROGRAM RELEASED
 *
 * Any build tool can call it after its link step (the Makefile here does), or import `patchBetween` and hand it bytes. Not being able
 * to patch is no error of the build: the reasons are printed, and the status is 0.
 */
import { readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { diff, PlannerError, writePatch } from 'driftpatch/planner';

/**
 * The patch file from `released` to `built`, or why there is none. Values in, values out: the planner touches no file.
 * @param {Uint8Array} released
 * @param {Uint8Array} built
 * @param {string} name
 * @returns {{ bytes: Uint8Array | null, lines: string[] }}
 */
export function patchBetween(released, built, name) {
  try {
    const result = diff(released, built, { oldName: name, newName: `${name}, just built`, name });
    const lines = [
      ...result.functions.map((fn) => `${fn.change} ${fn.name}`),
      ...result.notes.map((note) => `note: ${note.code}: ${note.message}`),
      ...result.refusals.map((refusal) => `refused: ${refusal.code}: ${refusal.message}`),
    ];
    if (!result.differs) lines.push('nothing that runs differs');
    return { bytes: result.patch && writePatch(result.patch), lines };
  } catch (error) {
    if (error instanceof PlannerError) return { bytes: null, lines: [`${error.code}: ${error.message}`] };
    throw error;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [program, released] = process.argv.slice(2);
  if (!program || !released) {
    console.error('usage: node after-link.mjs PROGRAM RELEASED');
    process.exit(2);
  }
  const output = `${program}.drift`;
  const { bytes, lines } = patchBetween(readFileSync(released), readFileSync(program), basename(program));
  for (const line of lines) console.log(`${program}: ${line}`);
  if (bytes) writeFileSync(output, bytes);
  // a patch of an earlier build would be for other code
  else rmSync(output, { force: true });
  console.log(bytes ? `${program}: ${output}, ${bytes.length} bytes` : `${program}: no patch`);
}
