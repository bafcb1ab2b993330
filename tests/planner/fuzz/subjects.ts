// SPDX-License-Identifier: MIT
/** What is damaged: pairs of real binaries, as different as the fixtures allow, and the patch files made of them. */
import { diff, writePatch } from '../../../planner/index.js';
import { type Build, compilePair } from '../helpers.js';

export interface Subject {
  readonly name: string;
  readonly old: Uint8Array;
  readonly new: Uint8Array;
  /** The patch file, if the pair gives one. */
  readonly patch: Uint8Array | null;
}

const fixtures: readonly [string, Build][] = [
  ['program.c', { new: ['-DONE=7', '-DSHIFT'] }],
  ['program.c', { flags: ['-O0', '-gdwarf-4', '-gz'], new: ['-DONE=2'] }],
  ['program.c', { flags: ['-fno-pie', '-no-pie', '-Wl,--emit-relocs', '-ffunction-sections'], new: ['-DONE=3'] }],
  ['library.c', { flags: ['-fPIC', '-shared', '-fcf-protection=full'] }],
  ['layout.c', {}],
  ['refuse-other.c', { flags: ['-DTLS'] }],
  ['refuse-data.c', { flags: ['-DVALUE'] }],
  ['unwind.cpp', {}],
];

export function fixtureSubjects(): Subject[] {
  return fixtures.map(([source, build]) => {
    const pair = compilePair(source, build);
    return subjectOf(
      `${source} ${[...(build.flags ?? []), ...(build.new ?? [])].join(' ')}`.trim(),
      pair.old,
      pair.new,
    );
  });
}

export function subjectOf(name: string, old: Uint8Array, now: Uint8Array): Subject {
  const { patch } = diff(old, now, { oldName: 'old', newName: 'new', name: 'fix' });
  return { name, old, new: now, patch: patch && writePatch(patch) };
}
