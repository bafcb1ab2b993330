// SPDX-License-Identifier: MIT
/**
 * One case: a damaged input, and what the library makes of it. It must be a result or a PlannerError with a code and a place;
 * whatever else happens is a find.
 */
import { diff, PlannerError, readPatch, writePatch } from '../../../planner/index.js';
import { piecesOf } from '../../../planner/inspect/pieces.js';
import { patchJson, patchText, sha256 } from '../../../planner/inspect/report.js';
import { sideBySide } from '../../../planner/inspect/side-by-side.js';
import { isPrintable } from '../../../planner/printable.js';
import { diffJson, diffText } from '../../../planner/report.js';
import { damaged } from './mutate.js';
import { damagedPatch } from './patches.js';
import { type Random, randomOf } from './random.js';
import type { Subject } from './subjects.js';

/** What came out, as a short word for counting; or what is wrong with it. */
export type Outcome = { readonly kind: string } | { readonly find: string };

export interface Case {
  readonly subject: Subject;
  readonly what: 'old' | 'new' | 'both' | 'patch';
  readonly bytes: readonly Uint8Array[];
}

export function makeCase(subjects: readonly Subject[], seed: number, index: number): Case {
  const random = randomOf(seed, index);
  // the first ones are small: tried more often, for the time that a large one takes
  const subject =
    subjects[Math.floor((random.below(subjects.length) * (random.below(subjects.length) + 1)) / subjects.length)]!;
  const other = random.pick(subjects).new;
  const what = random.pick(['new', 'old', 'both', 'patch'] as const);
  if (what === 'patch' && subject.patch !== null)
    return { subject, what, bytes: [damagedPatch(random, subject.patch, other)] };
  const side = (bytes: Uint8Array, hit: boolean, mine: Random) => (hit ? damaged(mine, bytes, other) : bytes);
  return {
    subject,
    what: what === 'patch' ? 'both' : what,
    bytes: [side(subject.old, what !== 'new', random), side(subject.new, what !== 'old', random)],
  };
}

export function tryCase({ what, bytes }: Case): Outcome {
  try {
    return what === 'patch' ? tryPatch(bytes[0]!) : tryDiff(bytes[0]!, bytes[1]!);
  } catch (error) {
    if (!(error instanceof PlannerError)) return { find: stackOf(error) };
    if (!/^[A-Z_]+$/.test(error.code) || error.place === '') return { find: `no code or no place: ${error.message}` };
    if (!isPrintable(error.message)) return { find: `unprintable: ${JSON.stringify(error.message)}` };
    return { kind: error.code };
  }
}

/** Enough of it to see where. */
const stackOf = (error: unknown): string =>
  error instanceof Error ? `${error.stack}`.split('\n').slice(0, 8).join('\n') : String(error);

function tryDiff(old: Uint8Array, now: Uint8Array): Outcome {
  const result = diff(old, now, { oldName: 'old', newName: 'new', name: 'fix' });
  const texts = [diffText(result, true), ...[...result.refusals, ...result.notes].map(({ message }) => message)];
  JSON.stringify(diffJson(result, 'old', null));
  const odd = texts.flatMap((text) => text.split('\n')).find((line) => !isPrintable(line));
  if (odd !== undefined) return { find: `unprintable: ${JSON.stringify(odd)}` };
  if (result.patch === null) return { kind: result.differs ? 'refused' : 'the same' };
  writePatch(result.patch);
  return { kind: 'diffed' };
}

function tryPatch(bytes: Uint8Array): Outcome {
  const patch = readPatch(bytes);
  JSON.stringify(patchJson(patch, sha256(bytes)));
  const listing = sideBySide(piecesOf(patch), { width: 100, colour: false });
  const odd = `${patchText(patch, sha256(bytes))}\n${listing}`.split('\n').find((line) => !isPrintable(line));
  if (odd !== undefined) return { find: `unprintable: ${JSON.stringify(odd)}` };
  readPatch(writePatch(patch));
  return { kind: 'read' };
}
