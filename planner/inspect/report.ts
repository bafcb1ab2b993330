// SPDX-License-Identifier: MIT
/** What a reviewer wants to see of a patch file, as text and as JSON. Makes strings; prints nothing. */
import { createHash } from 'node:crypto';
import type { Patch, PatchSection } from '../patch-file/model.js';
import { findingText } from '../report.js';
import { piecesOf } from './pieces.js';

export const sha256 = (file: Uint8Array): string => createHash('sha256').update(file).digest('hex');

/** The object that `planner inspect --json` prints; `hash` is that of the whole file. */
export function patchJson(patch: Patch, hash: string): Record<string, unknown> {
  const { schema, name, tool, target, sections, symbols, relocations, functions, unwind, notes } = patch;
  return {
    schema,
    name,
    tool,
    sha256: hash,
    target,
    functions: functions.map((fn) => ({
      name: fn.name,
      old: { ...fn.old, bytes: Buffer.from(fn.old.bytes).toString('hex') },
      new: fn.new,
      oldParts: fn.oldParts,
    })),
    added: addedCode(patch),
    data: dataOf(patch).map(({ name: section, kind, size }) => ({ section, kind, size })),
    imports: importsOf(patch),
    bindings: bindingsOf(patch),
    sections: sections.map(({ name: section, kind, align, size }) => ({ name: section, kind, align, size })),
    symbols: symbols.map(({ name: symbol, binding }) => ({ name: symbol, ...binding })),
    relocations: relocations.length,
    unwind,
    notes,
  };
}

export function patchText(patch: Patch, hash: string): string {
  const { name, tool, target, functions, relocations, unwind, notes } = patch;
  const hex = (address: number) => `0x${address.toString(16)}`;
  const code = patch.sections.filter(({ kind }) => kind === 'code').reduce((sum, { size }) => sum + size, 0);
  const imports = importsOf(patch);
  const bindings = bindingsOf(patch);
  return [
    `${name}, made by ${tool}`,
    `  sha256   ${hash}`,
    `  for      ${target.name} (${target.kind}, build id ${target.buildId})`,
    ...functions.map(
      ({ name: fn, old, new: now }) =>
        `  replaces ${fn}  ${old.size} → ${now.size} bytes, at ${hex(old.address)} with ${old.room} bytes of room`,
    ),
    ...addedCode(patch).map(({ name: fn, size }) => `  adds     ${fn}  ${size} bytes`),
    `  carries  ${code} bytes of code`,
    ...dataOf(patch).map(({ name: section, kind, size }) => `  carries  ${section}  ${size} bytes, ${KINDS[kind]}`),
    ...imports.map((one) => `  imports  ${one}`),
    ...bindings.map(({ name: one, address }) => `  binds    ${one}  ${hex(address)}`),
    `  in all   ${relocations.length} relocations, against ${bindings.length} places of the target and ${imports.length} of other objects`,
    ...unwind.map((one) => `  unwinds  ${one}, which C++ exceptions may be caught in or pass through`),
    ...(notes.length === 0 ? ['  notes    none'] : notes.map((note) => `  note     ${findingText(note)}`)),
  ].join('\n');
}

const KINDS: Readonly<Record<PatchSection['kind'], string>> = {
  code: 'code',
  rodata: 'constant',
  data: 'variable',
  bss: 'variable, zero',
};

const dataOf = ({ sections }: Patch): PatchSection[] => sections.filter(({ kind }) => kind !== 'code');

/** Functions and parts that come along and replace nothing. */
function addedCode(patch: Patch): { name: string; size: number }[] {
  const replaced = new Set(patch.functions.map(({ name }) => name));
  return piecesOf(patch)
    .filter(({ name, old }) => old === null && !replaced.has(name))
    .map(({ name, new: now }) => ({ name, size: now!.bytes.length }));
}

/** What the patch needs of other objects, through the target's slots or by itself. */
function importsOf({ symbols }: Patch): string[] {
  const names = symbols.flatMap(({ name, binding }) => {
    if (binding.kind === 'import') return [binding.version === null ? name : `${name}@${binding.version}`];
    const slot = binding.kind === 'target' ? /^(.+)@(plt|got)$/.exec(name) : null;
    return slot ? [slot[1]!] : [];
  });
  return [...new Set(names)].sort();
}

/** Places of the target that new code refers to, in order of address. */
const bindingsOf = ({ symbols }: Patch): { name: string; address: number }[] =>
  symbols
    .flatMap(({ name, binding }) => (binding.kind === 'target' ? [{ name, address: binding.address as number }] : []))
    .sort((a, b) => a.address - b.address || (a.name < b.name ? -1 : 1));
