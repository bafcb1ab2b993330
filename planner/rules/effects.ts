// SPDX-License-Identifier: MIT
/**
 * Notes on what a changed function does beyond itself that the old one did not: WRITES_NEW, a variable that it writes; CALLS_NEW, a
 * function of another object that it calls; LOCKING_CHANGED, a lock that it takes or gives or no longer does; RETURNS_NEW, a constant
 * that it returns.
 *
 * Examples: a fix that sets `server.dirty`, that calls time(), that takes a mutex around a loop, that returns -22. While the transition
 * lasts, callers and other threads still run old code, which may not expect it. A process applies patches with such notes: they
 * tell the author where to look (in the spirit of OPUS).
 */
import { type Effects, effectsOf } from '../compare/effects.js';
import { type CodeFunction, unitOf } from '../match/functions.js';
import type { Judged, RuleFinding } from './rule.js';

/** What compilers put in by themselves, or instead of one another. */
const NEUTRAL =
  /^(__stack_chk_fail|__.*_chk_fail|mem(cpy|move|set|cmp|chr)|str(len|cpy|cmp|chr|ncmp|rchr)|bcmp|_Unwind_Resume|__cxa_.*)$/;
const LOCK = /(^|_)(un|try|timed|rd|wr|spin)?lock(_|$)|^sem_(wait|post|trywait|timedwait)$|^mtx_/i;
/** Results that say yes or no come and go with the shape of the code. */
const COMMON: ReadonlySet<number> = new Set([0, 1]);

export function effects({ plan }: Judged): RuleFinding[] {
  const { before, after, functions, objects } = plan.context;
  const gone = (fn: CodeFunction) => !functions.newOf.has(fn);
  const fresh = (fn: CodeFunction) => !functions.oldOf.has(fn);
  return plan.modified.flatMap(({ old, new: now }) => {
    const [was, is] = [effectsOf(before, unitOf(old), gone), effectsOf(after, unitOf(now), fresh)];
    const note = (code: string, words: string[], sentence: (list: string) => string): RuleFinding[] =>
      words.length === 0
        ? []
        : [
            {
              code,
              symbol: now.name,
              message: `function ${now.name} ${sentence(words.join(', '))}`,
              allowable: true,
              noteOnly: true,
            },
          ];
    const written = [...is.writes].flatMap((object) => {
      const known = objects.oldOf.get(object);
      return known !== undefined && !was.writes.has(known) ? [object.name] : [];
    });
    const returned = [...is.returns].filter((value) => !was.returns.has(value) && !COMMON.has(value));
    return [
      ...note(
        'WRITES_NEW',
        written,
        (list) => `writes ${list}, which it did not write before; check who else relies on it`,
      ),
      ...note('CALLS_NEW', newImports(was, is), (list) => `calls ${list}, which it did not call before`),
      ...note(
        'LOCKING_CHANGED',
        locking(was, is),
        (list) => `${list}; check that old and new code together cannot deadlock`,
      ),
      ...note(
        'RETURNS_NEW',
        returned.map(String),
        (list) => `returns ${list}, which it did not return before; check its callers`,
      ),
    ];
  });
}

const plain = (name: string): string => name.replace(/^__(.*)_chk$/, '$1');

function newImports(was: Effects, is: Effects): string[] {
  const before = new Set([...was.calls].map(plain));
  const names = [...is.imports]
    .map(plain)
    .filter((name) => !before.has(name) && !NEUTRAL.test(name) && !LOCK.test(name));
  return [...new Set(names)].sort();
}

function locking(was: Effects, is: Effects): string[] {
  const only = (a: Effects, b: Effects) => [...a.calls].filter((name) => LOCK.test(name) && !b.calls.has(name)).sort();
  return [
    ...only(is, was).map((name) => `now calls ${name}`),
    ...only(was, is).map((name) => `no longer calls ${name}`),
  ];
}
