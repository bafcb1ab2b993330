// SPDX-License-Identifier: MIT
/** The program tests/guest/fixtures/states.c, in each of its states, and a patch for it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type Patch, writePatch } from '../../planner/index.js';
import { buildIdOf, fixtureSource, symbolOf, type Workshop } from './live.js';
import { patchOf } from './patches.js';

export const compileFixture = (workshop: Workshop, name: string) =>
  workshop.compile(name, fixtureSource(`${name}.c`), '-pthread', '-Wall', '-Werror');

/** A patch that makes victim() give 42. */
export function patchFor(file: string): Uint8Array {
  const address = symbolOf(file, 'victim');
  const found = execFileSync('nm', ['-S', '--defined-only', file], { encoding: 'utf8' });
  const size = Number.parseInt(/^\w+ (\w+) \w victim$/m.exec(found)![1]!, 16);
  // the linker puts code at file offsets that are its addresses
  const bytes = readFileSync(file).subarray(address, address + 5);
  const patch = patchOf({ buildId: buildIdOf(file), address, bytes });
  const [victim] = patch.functions;
  const whole: Patch = { ...patch, functions: [{ ...victim!, old: { ...victim!.old, size, room: size } }] };
  return writePatch(whole);
}

export interface Answer {
  readonly victim: number;
  readonly sent: number;
  readonly got: number;
  readonly broken: number;
}

export async function startIn(kind: string, file: string, workshop: Workshop) {
  const { pid, child } = await workshop.run(file, kind);
  const lines: string[] = [];
  let rest = '';
  child.stdout!.on('data', (chunk) => {
    rest += chunk;
    const parts = rest.split('\n');
    rest = parts.pop()!;
    lines.push(...parts.filter((line) => /^\d+ \d+ \d+ \d+$/.test(line)));
  });
  const ask = async (): Promise<Answer> => {
    lines.length = 0;
    for (let left = 1000; lines.length === 0; left--) {
      // it may begin anew before it has answered
      if (left % 100 === 0) child.stdin!.write('\n');
      if (left === 0 || child.exitCode !== null || child.signalCode !== null)
        throw new Error(`${kind} does not answer (${child.exitCode ?? child.signalCode})`);
      await sleep(10);
    }
    const [victim, sent, got, broken] = lines.at(-1)!.split(' ').map(Number) as [number, number, number, number];
    return { victim, sent, got, broken };
  };
  /** Answers until one says that; what it has said before may be on its way yet. */
  const until = async (victim: number): Promise<Answer> => {
    let answer = await ask();
    for (let left = 20; answer.victim !== victim && left > 0; left--) answer = await ask();
    return answer;
  };
  const release = () => void child.stdin!.write('go\n');
  return { pid, child, ask, until, release };
}

export const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
