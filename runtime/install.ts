// SPDX-License-Identifier: MIT
/**
 * A patch's arena: mapped, linked and recorded, or found again.
 *
 * Function pointers into new code, and new data, may live on after a revert, so an arena is never unmapped. A patch that is
 * applied again takes its old one, with the values that its data has by then, if its code is, byte for byte, what linking
 * gives today; else it gets a new one.
 */
import { type Patch, type RunAddress, runAddress } from '../planner/index.js';
import type { Carried, Patched } from './carried.js';
import { placeFunctions } from './detour.js';
import { counted, hex } from './errors.js';
import type { Job } from './job.js';
import { type Layout, layOut } from './link/layout.js';
import { link } from './link/link.js';
import { type Mapping, mappingAt } from './proc/maps.js';
import type { LoadedObject } from './proc/object.js';
import { encodeRecord, type PatchRecord } from './record.js';
import { codeSymbols } from './symbols/code-symbols.js';
import { framesIn } from './unwind/frames.js';
import { finderSize, placeFinder, type UnwinderJump } from './unwind/place.js';
import type { Unwinder } from './unwind/unwinders.js';
import type { Way } from './ways/way.js';

export interface Installation {
  readonly patch: Patch;
  readonly patchHash: string;
  readonly target: LoadedObject;
  readonly symbols: readonly (RunAddress | null)[];
  /** Whom to tell of new frames. */
  readonly unwinders: () => readonly Unwinder[];
  readonly carried: Carried;
  readonly maps: readonly Mapping[];
}

/** Puts the patch's code, data and record into `way`, and gives the record. Its detours are the caller's to write. */
export function install(job: Job, way: Way, what: Installation): PatchRecord {
  const { patch, symbols, target } = what;
  const { clock } = job;
  const old = clock.time('linkUs', () => what.carried.patches.find((one) => isIntact(job, one, what)));
  if (old) return takeAgain(job, way, what, old.record);

  const unwinders = clock.time('linkUs', () => what.unwinders());
  const size = recordSizeOf(job, what, unwinders);
  const layout = clock.time('linkUs', () => layOut(patch, size, finderSize(patch, unwinders)));
  const arena = clock.time('writeUs', () => way.map(target, layout.codeSize, layout.dataSize));
  const { code, data, record } = clock.time('linkUs', () => {
    const linked = link(patch, layout, arena, symbols);
    const finder = placeFinder(patch, layout, arena, unwinders);
    const record = recordFor(job, what, layout, arena, finder.jumps);
    linked.code.set(encodeRecord(record));
    linked.code.set(finder.bytes, layout.finder);
    return { ...linked, record };
  });
  job.step('link', `linked ${counted(patch.sections.length, 'section')} for the arena at ${hex(arena)}`);
  clock.time('writeUs', () => {
    way.write(arena, code);
    if (data.length > 0) way.write(runAddress(arena + layout.codeSize), data);
  });
  return record;
}

function takeAgain(job: Job, way: Way, what: Installation, old: PatchRecord): PatchRecord {
  const record = recordFor(job, what, layoutOf(job, what, old), old.arena, old.jumps);
  job.step('link', `the arena at ${hex(old.arena)}, from when the patch was applied before, is taken again`);
  const bytes = encodeRecord(record);
  const asItWas = what.carried.texts.all().every((text) => text(old.arena, bytes.length)?.equals(bytes));
  if (!asItWas) job.clock.time('writeUs', () => way.write(old.arena, bytes));
  return record;
}

/** As it was for an arena that is there: what is left of its code part behind the stubs is its finder. */
function layoutOf(job: Job, what: Installation, { jumps, codeSize }: PatchRecord): Layout {
  const size = encodeRecord(recordFor(job, what, nowhere(what.patch), what.target.start, jumps)).length;
  const { finder } = layOut(what.patch, size);
  return layOut(what.patch, size, Math.max(codeSize - finder, 0));
}

/** Is this an arena of this very patch, which nothing uses, and as good as new? */
function isIntact(job: Job, { record, state }: Patched, what: Installation): boolean {
  const { patch, patchHash, target, symbols, carried, maps } = what;
  const { arena, codeSize, dataSize, jumps } = record;
  if (record.patchHash !== patchHash || record.bias !== target.bias) return false;
  if (state !== 'inactive' && state !== 'reverting') return false;
  if (!jumps.every((jump) => carried.newest.leadsTo(jump))) return false;
  const layout = layoutOf(job, what, record);
  if (layout.codeSize !== codeSize || dataSize !== layout.dataSize) return false;
  const data = dataSize === 0 ? null : mappingAt(maps, arena + codeSize);
  if (data && (!data.write || data.execute || data.inode !== '0' || data.end < arena + codeSize + dataSize))
    return false;
  const wanted = link(patch, layout, arena, symbols).code.subarray(layout.code.offset, layout.finder);
  return carried.texts.all().every((text) => text(arena + layout.code.offset, wanted.length)?.equals(wanted));
}

type Room = Pick<Layout, 'sections' | 'code' | 'codeSize' | 'dataSize'>;

function recordFor(
  job: Job,
  what: Installation,
  { codeSize, dataSize, code, sections }: Room,
  arena: RunAddress,
  jumps: readonly UnwinderJump[],
): PatchRecord {
  const { patch, patchHash, target, carried } = what;
  const below = (detour: RunAddress) =>
    carried.newest.entryAt(detour)?.layers.find(({ record }) => record.arena !== arena)?.function.detourBytes;
  return {
    name: patch.name,
    patchHash,
    targetName: patch.target.name,
    buildId: patch.target.buildId,
    arena,
    codeSize,
    dataSize,
    bias: target.bias,
    code: { start: runAddress(arena + code.offset), size: code.size },
    consistency: job.consistency,
    functions: placeFunctions(patch, target, sections, arena, below),
    jumps,
    symbols: codeSymbols(patch, sections, arena),
    frames: framesIn(patch, sections, arena),
  };
}

/** It does not depend on addresses: any place within a detour's reach serves to find it out. */
function recordSizeOf(job: Job, what: Installation, unwinders: readonly Unwinder[]): number {
  const jumps = unwinders.map(({ at, original }) => ({ at, original, bytes: original }));
  return encodeRecord(recordFor(job, what, nowhere(what.patch), what.target.start, jumps)).length;
}

const nowhere = (patch: Patch): Room => ({
  sections: patch.sections.map(() => 0),
  code: { offset: 0, size: 0 },
  codeSize: 0,
  dataSize: 0,
});
