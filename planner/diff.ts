// SPDX-License-Identifier: MIT
/**
 * The passes: open, compare, emit, judge. Values in, values out: the same two files always give the same result.
 *
 * A result has a patch only if nothing was refused. Input that cannot be compared at all is an ElfError.
 */
import { linkAddress } from './addresses.js';
import { type Context, makeContext } from './compare/context.js';
import type { Side } from './compare/side.js';
import type { Workspace } from './core/workspace.js';
import { ElfError } from './elf/error.js';
import type { ElfImage, Import } from './elf/image.js';
import { type DebugFile, openElf } from './elf/open.js';
import { isCode } from './elf/sections.js';
import { type Emitted, emit } from './emit/emit.js';
import { originalsOf } from './emit/original.js';
import { PATCH_NAME } from './patch-file/format.js';
import type { Finding, Patch, PatchTarget, ReplacedFunction } from './patch-file/model.js';
import { makePlan, type Plan } from './plan.js';
import { printable } from './printable.js';
import { DETOUR_SIZE, detourOffset, roomOf } from './rules/entry.js';
import { judge } from './rules/index.js';
import type { RuleFinding } from './rules/rule.js';

export const TOOL = 'driftpatch 0.1.0';

export interface Allowance {
  readonly code: string;
  /** null: for every symbol. */
  readonly symbol: string | null;
}

export interface DiffOptions {
  /** What messages call the files; the old one's name also goes into the patch, without folders. */
  readonly oldName?: string;
  readonly newName?: string;
  /** Where the symbols and the debugging information are if the files are stripped. */
  readonly oldDebug?: DebugFile | null;
  readonly newDebug?: DebugFile | null;
  /** The patch's name: [A-Za-z0-9._+-]{1,64}. */
  readonly name?: string;
  readonly allow?: readonly Allowance[];
  /** What both files were read into; without it much of them is copied. */
  readonly workspace?: Workspace | null;
}

export interface Extent {
  readonly address: number;
  readonly size: number;
}

export interface FunctionChange {
  readonly name: string;
  readonly change: 'modified' | 'added' | 'removed';
  readonly old: Extent | null;
  readonly new: Extent | null;
  readonly reasons: readonly string[];
}

export interface DataChange {
  readonly name: string;
  readonly change: 'added' | 'modified' | 'removed';
  readonly section: string;
  readonly size: number;
}

export interface DiffResult {
  readonly target: PatchTarget;
  readonly functions: readonly FunctionChange[];
  readonly data: readonly DataChange[];
  /** What new code calls or uses of other objects, as name@version. */
  readonly imports: readonly string[];
  readonly refusals: readonly Finding[];
  readonly notes: readonly Finding[];
  /** False if nothing that runs differs. */
  readonly differs: boolean;
  /** Null if nothing differs or something was refused. */
  readonly patch: Patch | null;
  readonly timing: { readonly totalMs: number; readonly compareMs: number; readonly textBytes: number };
}

export function diff(oldBytes: Uint8Array, newBytes: Uint8Array, options: DiffOptions = {}): DiffResult {
  const start = performance.now();
  const name = options.name ?? 'patch';
  if (!PATCH_NAME.test(name)) throw new RangeError(`a patch's name must match ${PATCH_NAME}: ${JSON.stringify(name)}`);
  const oldImage = openElf(oldBytes, options.oldName ?? 'the old file', { debug: options.oldDebug ?? null });
  const newImage = openElf(newBytes, options.newName ?? 'the new file', { debug: options.newDebug ?? null });
  const target = targetOf(oldImage);
  const opened = performance.now();
  const context = makeContext(oldImage, newImage, options.workspace ?? undefined);
  checkRelated(context);
  const plan = makePlan(context);
  const compared = performance.now();
  const emitted = emit(plan);
  const found = judge({ plan, placed: [...emitted.placed.keys()], imports: newImports(emitted) });
  const unbound = emitted.refusals.map((refusal): RuleFinding => ({ ...refusal, allowable: false }));
  const { refusals, notes } = sift([...found, ...unbound], options.allow ?? []);
  const differs = plan.modified.length + plan.added.length + plan.objects.length + refusals.length > 0;
  const writes = refusals.length === 0 && plan.modified.length > 0;
  const patch = writes ? makePatch(name, target, plan, emitted, notes) : null;
  return {
    target,
    functions: functionChanges(plan),
    data: dataChanges(plan),
    imports: [...emitted.imports].sort(),
    refusals,
    notes,
    differs,
    patch,
    timing: {
      totalMs: performance.now() - start,
      compareMs: compared - opened,
      textBytes: oldImage.sections.filter(isCode).reduce((sum, { size }) => sum + size, 0),
    },
  };
}

/** What is found by name when the patch is applied; the rest goes through the target's own slots. */
const newImports = ({ builder }: Emitted): Import[] =>
  builder.symbols.flatMap(({ name, binding }) =>
    binding.kind === 'import' ? [{ name, version: binding.version }] : [],
  );

function targetOf(image: ElfImage): PatchTarget {
  if (image.buildId === null)
    throw new ElfError('BUILD_ID_MISSING', {
      file: image.file,
      place: 'notes',
      expected: 'NT_GNU_BUILD_ID',
      found: 'none',
      advice: 'link it with -Wl,--build-id',
    });
  return { name: image.file.replace(/^.*\//, ''), buildId: image.buildId, kind: image.kind };
}

/** What the compiler's start files and every program bring along. */
const EVERYBODYS: ReadonlySet<string> = new Set([
  ...['_start', '_init', '_fini', 'main', 'frame_dummy', '__do_global_dtors_aux'],
  ...['register_tm_clones', 'deregister_tm_clones', '_dl_relocate_static_pie', '__libc_csu_init', '__libc_csu_fini'],
]);
/** With fewer functions of its own than that a program may well have renamed half of them. */
const FEW = 4;
/** One program that grew or shrank still has these of the smaller one. */
const NEARLY_ALL = 0.9;

/** Two builds of one program share most of their functions' names. */
function checkRelated({ before, after, functions: { newIndexOf }, names }: Context): void {
  const everybodys = new Uint8Array(names.count + 1);
  for (const name of EVERYBODYS) everybodys[names.find(name) + 1] = 1;
  const count = ({ functions: { columns, length }, image }: Side, ownOnly: boolean, counts: (i: number) => boolean) => {
    const ids = names.of(image.symbolTable);
    let sum = 0;
    for (let i = 0; i < length; i++)
      if (counts(i) && !(ownOnly && everybodys[ids[columns.symbols[i]!]! + 1] === 1)) sum++;
    return sum;
  };
  const every = () => true;
  const sizes = [count(before, true, every), count(after, true, every)];
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const few = most < FEW;
  const all = few ? before.functions.length : most;
  const common = count(before, !few, (i) => newIndexOf[i]! >= 0);
  // a fix that uses a template of the library's may bring hundreds of functions along
  const grown = least >= FEW && common >= NEARLY_ALL * least;
  const share = all === 0 ? 0 : common / all;
  const [old, now] = [before.image, after.image];
  if ((share >= 0.5 || grown) && old.kind === now.kind) return;
  throw new ElfError('DIFFERENT', {
    file: now.file,
    place: 'functions',
    expected: `a build of the same program as ${old.file}, ${old.kind}`,
    found: `${now.kind}, with ${Math.round(share * 100)} % of the functions in common`,
    advice: 'give two builds of one program',
  });
}

/** Findings that the author allowed become notes. Names in them may come from debugging information, which nobody has checked. */
function sift(findings: readonly RuleFinding[], allow: readonly Allowance[]) {
  const refusals: Finding[] = [];
  const notes: Finding[] = [];
  for (const { allowable, noteOnly, code, symbol, message } of findings) {
    const allowed = allow.some((one) => one.code === code && (one.symbol === null || one.symbol === symbol));
    (noteOnly || (allowable && allowed) ? notes : refusals).push({
      code,
      symbol: symbol && printable(symbol),
      message: printable(message),
    });
  }
  return { refusals, notes };
}

function makePatch(
  name: string,
  target: PatchTarget,
  plan: Plan,
  { builder, placed, unwind }: Emitted,
  notes: readonly Finding[],
): Patch {
  const functions = plan.modified.map(({ old, new: now }): ReplacedFunction => {
    const start = old.address - old.section.address + detourOffset(old);
    return {
      name: old.name,
      old: {
        address: linkAddress(old.address),
        size: old.size,
        room: roomOf(plan.context.before, old),
        detourOffset: detourOffset(old),
        bytes: old.section.bytes.slice(start, start + DETOUR_SIZE),
      },
      new: { section: placed.get(now)!.section, offset: placed.get(now)!.offset, size: now.size },
      oldParts: old.parts.map(({ address, size }) => ({ address: linkAddress(address), size })),
    };
  });
  const { sections, symbols } = builder;
  const relocations = [...builder.relocations].sort((a, b) => a.section - b.section || a.offset - b.offset);
  const original = originalsOf(plan);
  return {
    schema: 1,
    name,
    tool: TOOL,
    target,
    sections,
    symbols,
    relocations,
    functions,
    unwind,
    original,
    notes,
  };
}

const extent = (thing: { address: number; size: number } | null): Extent | null =>
  thing && { address: thing.address, size: thing.size };

function functionChanges({ modified, added, removed }: Plan): FunctionChange[] {
  return [
    ...modified.map(({ old, new: now, reasons }) => ({
      name: now.name,
      change: 'modified' as const,
      old: extent(old),
      new: extent(now),
      reasons: reasons.map(printable),
    })),
    ...added.map((fn) => ({ name: fn.name, change: 'added' as const, old: null, new: extent(fn), reasons: ['new'] })),
    ...removed.map((fn) => ({
      name: fn.name,
      change: 'removed' as const,
      old: extent(fn),
      new: null,
      reasons: ['gone'],
    })),
  ];
}

function dataChanges({ objects }: Plan): DataChange[] {
  return objects.map(({ change, old, new: now }) => {
    const { name, section, size } = (now ?? old)!;
    return { name, change, section: section.name, size };
  });
}
