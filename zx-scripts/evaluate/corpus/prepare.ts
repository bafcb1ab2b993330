// SPDX-License-Identifier: MIT
// The fixes of one program, made ready on the host: both builds, and what the planner makes of them. What is a patch becomes a case
// for the guest, and what is not has to be refused, or found to be the same, as the program's table says.

import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { buildFix, buildNewest } from '../../servers/build.js';
import type { Fix, Subject } from '../../servers/subject.js';
import type { ShownProgress } from '../../show-progress.js';
import type { Case } from './case.js';

export interface Planned {
  readonly program: string;
  readonly version: string;
  readonly fix: string;
  /** The entry of the series. */
  readonly name: string;
  /** `planner diff`'s. */
  readonly status: number | null;
  readonly modified: readonly string[];
  readonly added: readonly string[];
  readonly refusals: readonly string[];
  readonly case: Case | null;
  readonly problems: readonly string[];
}

/** Below the checkout, where the guest sees it too. */
export const corpusFolder = (project: string): string => join(project, 'dist/corpus');

export interface PrepareOptions {
  readonly project: string;
  readonly rounds: number;
  readonly fixes: readonly Fix[];
  readonly shown: ShownProgress;
  /** Both builds with the barrier of servers/quiescence.h. */
  readonly barrier?: boolean;
}

export async function prepareSubject(subject: Subject, options: PrepareOptions): Promise<Planned[]> {
  const { project, shown } = options;
  const { program, host } = subject;
  const building = { progress: shown.onStep, say: shown.say };
  const barrier = options.barrier === true;
  const home = join(corpusFolder(project), barrier ? `${program.name}-barrier` : program.name);
  await rm(home, { recursive: true, force: true });
  const hostFolder = join(home, 'host');
  if (host) await copyFolder(await buildNewest(host, building), hostFolder);
  const planned: Planned[] = [];
  for (const fix of options.fixes) {
    const pair = await buildFix(program, fix.index, { ...building, barrier });
    const folder = join(home, fix.index);
    await copyFolder(pair.old, folder);
    shown.onStep({ name: `planner diff of ${program.name} ${fix.index}` });
    const patch = join(folder, `${fix.index}.drift`);
    const words = [join(pair.old, subject.object), join(pair.new, subject.object), '-o', patch, '--json'];
    const found = runPlanner(project, words);
    const inGuest = (path: string) => path.replace(project, '/project');
    const job: Case = {
      program: program.name,
      fix: fix.index,
      folder: inGuest(folder),
      host: inGuest(hostFolder),
      patch: inGuest(patch),
      rounds: options.rounds,
    };
    const { version } = program;
    planned.push({
      program: program.name,
      version,
      fix: fix.index,
      name: pair.fixName,
      ...found,
      case: found.status === 0 ? job : null,
      problems: judge(`${program.name} ${fix.index}`, fix, found),
    });
  }
  return planned;
}

type Found = Pick<Planned, 'status' | 'modified' | 'added' | 'refusals'>;

function runPlanner(project: string, words: readonly string[]): Found {
  const cli = join(project, 'dist/planner/planner.js');
  const options = { encoding: 'utf8', maxBuffer: 1 << 28 } as const;
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [cli, 'diff', ...words], options);
  if (error) throw error;
  if (status !== 0 && status !== 3 && status !== 4)
    throw new Error(`expected planner diff ${words.join(' ')} to end with 0, 3 or 4, found ${status}: ${stderr}`);
  const { functions, refusals } = JSON.parse(stdout) as {
    functions: { name: string; change: string }[];
    refusals: { code: string }[];
  };
  const named = (change: string) => functions.filter((one) => one.change === change).map(({ name }) => name);
  const codes = [...new Set(refusals.map(({ code }) => code))];
  return { status, modified: named('modified'), added: named('added'), refusals: codes };
}

function judge(title: string, { expect }: Fix, { status, refusals }: Found): string[] {
  const wanted = expect === 'patch' ? 0 : expect === 'same' ? 3 : 4;
  const codes = typeof expect === 'object' ? expect.refused : [];
  const same = status === wanted && codes.every((code) => refusals.includes(code)) && refusals.length === codes.length;
  const words = (given: number | null, list: readonly string[]) => [`status ${given}`, ...list].join(' ');
  return same ? [] : [`${title}: expected ${words(wanted, codes)} of planner diff, found ${words(status, refusals)}`];
}

export async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) await copyFile(join(from, name), join(to, name));
}
