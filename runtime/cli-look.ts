// SPDX-License-Identifier: MIT
/**
 * The commands that only look: `driftpatch status`, `list` and `doctor`.
 */
import pc from 'picocolors';
import { STATUS } from './cli-options.js';
import { printJson, printLines } from './cli-output.js';
import { type Check, doctor, type Status, status } from './index.js';
import { hiddenLine, statusLines } from './wording.js';

export function runStatus(flags: { pid?: number; json?: boolean }): void {
  const found = status(flags.pid === undefined ? {} : { pid: flags.pid });
  if (flags.json) printJson(found);
  else printLines(statusLines(found, flags.pid));
}

export async function runList(flags: { json?: boolean }): Promise<void> {
  const found = status();
  const patches = rowsOf(found);
  if (flags.json) printJson({ patches, hidden: found.hidden });
  else {
    process.stdout.write(patches.length === 0 ? 'no process carries a patch\n' : `${await table(patches)}\n`);
    printLines(hiddenLine(found.hidden));
  }
}

interface Row {
  readonly pid: number;
  readonly process: string;
  readonly patch: string;
  readonly patchHash: string;
  readonly state: string;
  readonly under: readonly string[];
  readonly target: string;
  readonly functions: number;
  readonly threads: { readonly total: number; readonly migrated: number } | null;
}

const rowsOf = ({ processes }: Status): Row[] =>
  processes.flatMap(({ pid, name, patches }) =>
    patches.map(({ name: patch, patchHash, state, under, target, functions, threads }) => ({
      pid,
      process: name,
      patch,
      patchHash,
      state,
      under,
      target,
      functions: functions.length,
      threads,
    })),
  );

const COLOURS: Readonly<Record<string, (text: string) => string>> = {
  applied: pc.green,
  pending: pc.yellow,
  reverting: pc.yellow,
  inactive: pc.dim,
};

const coloured = process.stdout.isTTY === true && pc.isColorSupported;

async function table(rows: readonly Row[]): Promise<string> {
  const { default: Table } = await import('cli-table3');
  const paint = (state: string, text: string) => (coloured ? COLOURS[state]!(text) : text);
  const made = new Table({
    head: ['pid', 'process', 'patch', 'hash', 'state', 'target', 'functions'],
    style: { head: coloured ? ['bold'] : [], border: [], compact: true },
    colAligns: ['right', 'left', 'left', 'left', 'left', 'left', 'right'],
  });
  for (const row of rows) {
    const { pid, process: name, patch, patchHash, state, under, target, functions, threads } = row;
    const more = threads ? ` ${threads.migrated}/${threads.total}` : under.length > 0 ? ` below ${under[0]}` : '';
    made.push([pid, name, patch, patchHash.slice(0, 12), paint(state, `${state}${more}`), target, functions]);
  }
  return made.toString();
}

export function runDoctor(flags: { json?: boolean }): void {
  const { checks, modes } = doctor();
  const ok = modes['wait-free'];
  if (flags.json) printJson({ ok, checks, modes });
  else {
    printLines(checks.flatMap(checkLines));
    const others = modes.stop ? ' --mode stop would work.' : ' --mode stop would not work either.';
    printLines([ok ? 'Nothing is missing: processes can be patched here.' : `Something is missing.${others}`]);
  }
  if (!ok) process.exitCode = STATUS.refused;
}

const MARKS = { ok: pc.green, note: pc.yellow, missing: pc.red } as const;

function checkLines({ name, result, found, advice }: Check): string[] {
  const mark = coloured ? MARKS[result](result) : result;
  return [`${name}: ${mark}: ${found}`, ...(advice === '' ? [] : [`  ${advice}`])];
}
