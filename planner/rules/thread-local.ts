// SPDX-License-Identifier: MIT
/**
 * TLS_NEW: new code uses a thread-local variable that the old file does not have. TLS_UNSUPPORTED: it uses one that lies elsewhere now,
 * or may do so in a way that the bytes do not show.
 *
 * Example: a new `static __thread` variable. Every running thread has its block already, laid out as the old file says, and
 * no room in it; and those that are there have moved, while code reaches them by distances from %fs that are fixed when linking.
 */
import { instructionsOf, referenceOf } from '../compare/instructions.js';
import { referentAt } from '../compare/referent.js';
import { accessOf } from '../compare/thread-access.js';
import { blockSize, type ThreadVariable, threadVariables, variableAt, variableKey } from '../elf/thread-local.js';
import type { CodeFunction } from '../match/functions.js';
import type { Judged, RuleFinding } from './rule.js';

export function threadLocal({ plan, placed }: Judged): RuleFinding[] {
  const { before, after } = plan.context;
  const [olds, news] = [threadVariables(before.image), threadVariables(after.image)];
  const [oldSize, newSize] = [blockSize(before.image), blockSize(after.image)];
  const offsets = new Map(olds.map((one) => [variableKey(one), one.offset]));
  const moved = (one: ThreadVariable): boolean => offsets.get(variableKey(one))! - oldSize !== one.offset - newSize;
  const isNew = (one: ThreadVariable): boolean => !offsets.has(variableKey(one));
  if (oldSize === newSize && news.every((one) => !isNew(one) && !moved(one))) return [];
  const findings: RuleFinding[] = [];
  const add = (code: string, symbol: string, message: string) => {
    if (!findings.some((known) => known.message === message))
      findings.push({ code, symbol, message, allowable: false });
  };
  for (const fn of placed)
    for (const instruction of instructionsOf(fn)) {
      const access = accessOf(fn, instruction);
      const module = instruction.fieldSize === 4 && isModule(referentAt(after, referenceOf(fn, instruction).address));
      if (access === null && !module) continue;
      const variable = access === null || access >= 0 ? null : variableAt(news, access + newSize);
      if (variable !== null && isNew(variable)) add('TLS_NEW', variable.name, newVariable(fn, variable.name));
      else if (variable === null || moved(variable))
        add(
          'TLS_UNSUPPORTED',
          fn.name,
          `function ${fn.name} uses thread-local storage, whose layout differs between the files; leave the thread-local variables as they were`,
        );
    }
  return findings;
}

export const newVariable = (fn: CodeFunction | null, name: string): string =>
  `function ${fn?.name ?? '?'} uses ${name}, which is thread-local and new, and the threads that run have no room for it; use a table by thread, or pthread_getspecific()`;

/** The block of this object as a whole: distances in it follow in the code, where nothing tells them from numbers. */
const isModule = (referent: ReturnType<typeof referentAt>): boolean =>
  referent.kind === 'tls' && referent.model !== 'distance' && referent.variable === null;
