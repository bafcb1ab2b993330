// SPDX-License-Identifier: MIT
// What `npm run bench -- runtime` runs in the guest: each subject is started, patched and ended, in turns, and result lines are printed at
// the end (result-lines.ts).
//
//   node dist/zx-scripts/bench/runtime/guest.js PLAN

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { apply, type JobStep, type Mode } from '../../../runtime/index.js';
import { type Case, inTurns } from '../result.js';
import type { RuntimePlan, Subject } from './case.js';

const { folder, subjects, runs } = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as RuntimePlan;
const now = () => performance.now();

/** A running target, and how long it has taken to be ready: what a restart takes, without anything that it would have to remember. */
async function start({ threads, modules, functions }: Subject) {
  const begun = now();
  const words = [String(threads), String(modules), folder];
  const child = spawn(`${folder}/target-${functions}-old`, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the target has ended (${child.exitCode ?? child.signalCode})`);
    return value;
  };
  await line();
  const milliseconds = now() - begun;
  const answer = async () => {
    child.stdin!.write('\n');
    return Number(await line());
  };
  return { pid: child.pid!, milliseconds, answer, end: () => ended(child) };
}

async function ended(child: ChildProcess): Promise<void> {
  const end = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await end;
}

const NEW = 1007;

/** Milliseconds: all of it; up to each step that is told; and what the way says of itself. */
async function patched(subject: Subject, mode: Mode) {
  const target = await start(subject);
  const patch = readFileSync(`${folder}/target-${subject.functions}.drift`);
  const at = new Map<JobStep, number>();
  const begun = now();
  const { state, timing } = await apply(patch, {
    pid: target.pid,
    mode,
    onEvent: (event) => {
      if (event.kind === 'step') at.set(event.step, now() - begun);
    },
  });
  const whole = now() - begun;
  const answer = await target.answer();
  if (state !== 'applied' || answer !== NEW)
    throw new Error(`${subject.name}, ${mode}: expected the answer ${NEW}, found ${answer}, and the patch ${state}`);
  await target.end();
  return { restart: target.milliseconds, whole, timing, until: (step: JobStep) => at.get(step) ?? Number.NaN };
}

/** The first whole command of a person: Node's start and ours included. */
async function command(...words: string[]): Promise<number> {
  const begun = now();
  const child = spawn(process.execPath, words, { stdio: 'ignore' });
  const status = await new Promise((resolve) => child.once('exit', resolve));
  if (status !== 0) throw new Error(`${words.join(' ')}: status ${status}`);
  return now() - begun;
}

const cli = fileURLToPath(new URL('../../../runtime/driftpatch.js', import.meta.url));

function commandCases(): Case[] {
  const ms = (name: string, against?: string) => ({ name: `command/${name}`, unit: 'ms', ...(against && { against }) });
  const node = 'command/node';
  return [
    { measures: [ms('node')], run: async () => [await command('-e', '0')] },
    { measures: [ms('help', node)], run: async () => [await command(cli, '--help')] },
    { measures: [ms('status', node)], run: async () => [await command(cli, 'status')] },
    {
      measures: [ms('apply', node)],
      run: async () => {
        const target = await start(subjects[0]!);
        const file = `${folder}/target-${subjects[0]!.functions}.drift`;
        const taken = await command(cli, 'apply', file, '--pid', String(target.pid));
        await target.end();
        return [taken];
      },
    },
  ];
}

function casesOf(subject: Subject): Case[] {
  const ms = (what: string, against?: string) => ({
    name: `${subject.name}/${what}`,
    unit: 'ms',
    ...(against && { against: `${subject.name}/${against}` }),
  });
  const parts = ['identify', 'resolve', 'link', 'write', 'migrate', 'fold'] as const;
  return [
    {
      measures: [ms('restart'), ms('apply', 'restart'), ...parts.map((part) => ms(part, 'apply'))],
      run: async () => {
        const { restart, whole, timing, until } = await patched(subject, 'wait-free');
        const steps = (['identify', 'clone', 'link', 'migrate'] as const).map(until);
        const [identified, cloned, linked, ready] = steps as [number, number, number, number];
        const taken = [identified, cloned - identified, linked - cloned, ready - linked];
        return [restart, whole, ...taken, timing.transitionUs / 1000, timing.foldUs / 1000];
      },
    },
    {
      measures: [ms('stop', 'apply'), ms('standing', 'migrate')],
      run: async () => {
        const { whole, timing } = await patched(subject, 'stop');
        return [whole, timing.transitionUs / 1000];
      },
    },
  ];
}

// the first apply in a process compiles what the others find compiled; a person's is measured as a command
await patched(subjects[0]!, 'wait-free');
const series = await inTurns([...commandCases(), ...subjects.flatMap(casesOf)], runs, (done) => {
  process.stdout.write(`run ${done} of ${runs}\n`);
});
for (const { name, unit, values, against } of series) {
  const figures = values.map((value) => value.toFixed(3)).join(' ');
  process.stdout.write(`result: ${name} ${unit} ${figures}${against === undefined ? '' : ` against ${against}`}\n`);
}
