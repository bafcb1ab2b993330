// SPDX-License-Identifier: MIT
/**
 * ALWAYS_RUNNING, a note: a function that is on its thread's stack for as long as the thread lives, so that a patch which
 * replaces it may never complete under the strict check.
 *
 * Example: a fix in an event loop that was inlined into main. Told of `main`; of functions that threads begin in (they are
 * handed to pthread_create or thrd_create, or to std::thread); of functions that loop and cannot return; and of functions that main or a
 * thread's first function calls, not far down, and that wait for events in a loop. The last is a guess, and the message says "may".
 */
import { jumpTableAt } from '../compare/constants.js';
import { instructionsOf, referenceOf } from '../compare/instructions.js';
import { referentAt } from '../compare/referent.js';
import { referrersTo } from '../compare/referrers.js';
import type { Side } from '../compare/side.js';
import { type Instruction, isBranch } from '../core/instruction.js';
import { Kind } from '../core/load.js';
import { type CodeFunction, unitOf } from '../match/functions.js';
import type { Judged, RuleFinding } from './rule.js';

/** How many calls from main or a thread's first function an event loop is away, and a call that waits from the loop. */
const NEAR = 2;
const FAR = 3;
const WAITS = /^(epoll_p?wait2?|p?poll|p?select|accept4?|sigwait(info)?|sigsuspend|pause|kevent)(@|$)/;
/** Which argument is the function, as the number of its register: rdx, rsi. */
const STARTS: ReadonlyMap<string, number> = new Map([
  ['pthread_create', 2],
  ['thrd_create', 6],
]);
const LOOK_BACK = 16;
const LEA = 0x8d;
const RETURNS: ReadonlySet<number> = new Set([0xc2, 0xc3]);
const INDIRECT = 0xff;

export function alwaysRunning({ plan }: Judged): RuleFinding[] {
  const threads = new Threads(plan.context.before);
  return plan.modified.flatMap(({ old }) => {
    const why = threads.reason(old);
    if (why === null) return [];
    return [
      {
        code: 'ALWAYS_RUNNING',
        symbol: old.name,
        message: `function ${old.name} ${why}, so the transition cannot complete; move what changes into a function that returns`,
        allowable: true,
        noteOnly: true as const,
      },
    ];
  });
}

class Threads {
  readonly #side: Side;
  #entries: Map<CodeFunction, string> | null = null;
  #near: ReadonlySet<CodeFunction> | null = null;
  readonly #waiting = new Map<string, boolean>();

  constructor(side: Side) {
    this.#side = side;
  }

  reason(fn: CodeFunction): string | null {
    if (fn.name === 'main') return 'is always on a stack';
    if (/^_ZNSt6thread11_State_impl.*6_M_runEv$/.test(fn.name))
      return 'is always on a stack, a std::thread begins in it';
    const starter = this.#threadEntries().get(fn);
    if (starter !== undefined) return `is always on a stack, a thread begins in it (${starter})`;
    const loops = loopsOf(fn);
    if (loops.length === 0) return null;
    if (!canReturn(this.#side, fn)) return 'loops and never returns';
    const waits = loops.some((calls) => calls.some((call) => this.#waits(fn, call, FAR)));
    return waits && this.#nearEntries().has(fn) ? 'waits for events in a loop, which may be on a stack always' : null;
  }

  /** Functions that are handed to what starts threads, with the place. */
  #threadEntries(): Map<CodeFunction, string> {
    if (this.#entries) return this.#entries;
    const entries = new Map<CodeFunction, string>();
    for (const fn of referrersTo(this.#side, startersOf(this.#side))) {
      const list = instructionsOf(fn);
      list.forEach((call, i) => {
        const name = calleeName(this.#side, fn, call);
        const register = name === null ? undefined : STARTS.get(name.replace(/@.*/, ''));
        if (register === undefined) return;
        const back = list.slice(Math.max(0, i - LOOK_BACK), i).reverse();
        const lea = back.find(
          ({ kind, opcode, modrm }) => kind === Kind.address && opcode === LEA && ((modrm >> 3) & 7) === register,
        );
        const entry = lea && this.#side.functionAt(referenceOf(fn, lea).address);
        if (entry) entries.set(entry, `${name!.replace(/@.*/, '')} in ${fn.name}`);
      });
    }
    this.#entries = entries;
    return entries;
  }

  #nearEntries(): ReadonlySet<CodeFunction> {
    if (this.#near) return this.#near;
    const main = this.#side.functionsNamed('main');
    let edge = [...main, ...this.#threadEntries().keys()];
    const near = new Set(edge);
    for (let depth = 0; depth < NEAR; depth++) {
      edge = edge.flatMap((fn) => calleesOf(this.#side, fn)).filter((fn) => !near.has(fn));
      for (const fn of edge) near.add(fn);
    }
    this.#near = near;
    return near;
  }

  /** Whether a call leads to one that waits for events, within so many calls. */
  #waits(fn: CodeFunction, call: Instruction, depth: number): boolean {
    const name = calleeName(this.#side, fn, call);
    if (name !== null) return WAITS.test(name);
    const callee = isBranch(call.kind) ? this.#side.functionAt(referenceOf(fn, call).address) : null;
    return callee !== null && callee !== fn && depth > 0 && this.#waitsWithin(callee, depth - 1);
  }

  #waitsWithin(fn: CodeFunction, depth: number): boolean {
    const key = `${fn.address} ${depth}`;
    const known = this.#waiting.get(key);
    if (known !== undefined) return known;
    const waits = [fn, ...fn.parts].some((part) =>
      instructionsOf(part).some((inner) => isCall(inner) && this.#waits(part, inner, depth)),
    );
    this.#waiting.set(key, waits);
    return waits;
  }
}

/** A call, or a jump in its place at the end of a function. */
const isCall = ({ kind, opcode, modrm }: Instruction): boolean =>
  kind === Kind.call ||
  kind === Kind.jump ||
  (kind === Kind.memory && opcode === INDIRECT && [2, 4].includes((modrm >> 3) & 7));

/** The import that is called, through a PLT stub or through its GOT slot; null for anything else. */
function calleeName(side: Side, fn: CodeFunction, call: Instruction): string | null {
  if (!isCall(call)) return null;
  const referent = referentAt(side, referenceOf(fn, call).address);
  return referent.kind === 'stub' || referent.kind === 'slot' ? referent.name : null;
}

/** Stubs and slots of what starts threads. */
const startersOf = (side: Side): number[] => side.linkageOf(new Set(STARTS.keys()));

const calleesOf = (side: Side, fn: CodeFunction): CodeFunction[] =>
  [fn, ...fn.parts].flatMap((part) =>
    instructionsOf(part).flatMap((one) => {
      const callee = isBranch(one.kind) ? side.functionAt(referenceOf(part, one).address) : null;
      return callee && unitOf(callee) !== fn && callee.address === referenceOf(part, one).address
        ? [unitOf(callee)]
        : [];
    }),
  );

/** The calls in each loop: in what lies between a branch backwards and where it leads. */
function loopsOf(fn: CodeFunction): Instruction[][] {
  const list = instructionsOf(fn);
  const loops: Instruction[][] = [];
  for (const branch of list) {
    if (!isBranch(branch.kind) || branch.kind === Kind.call) continue;
    const to = referenceOf(fn, branch).address - fn.address;
    if (to < 0 || to > branch.offset) continue;
    loops.push(list.filter((one) => isCall(one) && one.offset >= to && one.offset < branch.offset));
  }
  return loops;
}

/** Whether it has a return, or a jump that leaves it. */
function canReturn(side: Side, fn: CodeFunction): boolean {
  return [fn, ...fn.parts].some((part) => {
    const list = instructionsOf(part);
    const hasTable = list.some(
      (one) => one.kind === Kind.address && jumpTableAt(side, referenceOf(part, one).address, fn) !== null,
    );
    return list.some((one) => {
      if (RETURNS.has(one.opcode)) return true;
      if (one.opcode === INDIRECT && ((one.modrm >> 3) & 7) === 4) return !hasTable;
      if (!isBranch(one.kind) || one.kind === Kind.call) return false;
      const to = side.functionAt(referenceOf(part, one).address);
      return to === null || unitOf(to) !== fn;
    });
  });
}
