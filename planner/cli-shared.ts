// SPDX-License-Identifier: MIT
/** What the commands share: statuses, usage errors, and how they print. */
import { realpathSync } from 'node:fs';
import type { Allowance } from './diff.js';
import { ALLOWABLE } from './rules/index.js';

export const status = { ok: 0, usage: 2, same: 3, refused: 4 } as const;

export class UsageError extends Error {}

export const print = (text: string): void => void process.stdout.write(`${text}\n`);
export const complain = (text: string): void => void process.stderr.write(`${text}\n`);

/** For commander: an option that may be given several times. */
export const gather = (one: string, all: string[]): string[] => [...all, one];

export const allowHelp = `turn a refusal into a note: ${ALLOWABLE.join(', ')}`;

export function allowance(text: string): Allowance {
  const [code, ...symbol] = text.split(':');
  if (!ALLOWABLE.includes(code!))
    throw new UsageError(`--allow ${text}: expected one of ${ALLOWABLE.join(', ')}; others cannot be allowed`);
  return { code: code!, symbol: symbol.length > 0 ? symbol.join(':') : null };
}

/** Writing to `b` would destroy `a`. */
export function sameFile(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false;
  }
}
