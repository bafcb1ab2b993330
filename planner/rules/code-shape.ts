// SPDX-License-Identifier: MIT
/**
 * What the planner cannot take apart: FUNCTION_UNSIZED (assembly without .size, whose end is a guess), CODE_UNDECODABLE,
 * FUNCTION_AMBIGUOUS (several clones share a name but for their numbers, and more than one of them changed),
 * IFUNC_CHANGED (a resolver has run already when the process started), and TEXT_RELOCATION (the loader writes into the code).
 */
import { STT_IFUNC } from '../elf/symbols.js';
import { isClosure } from '../match/pair.js';
import type { Judged, RuleFinding } from './rule.js';

export function codeShape({ plan, placed }: Judged): RuleFinding[] {
  const findings: RuleFinding[] = [];
  const { after } = plan.context;
  const resolvers = new Set(after.image.symbolTable.ofType(STT_IFUNC).map(({ value }) => value));
  const add = (code: string, symbol: string, message: string) =>
    findings.push({ code, symbol, message, allowable: false });
  for (const { new: now } of plan.modified)
    if ([now, ...now.parts].some((fn) => plan.context.functions.guessed.has(fn)))
      add(
        'FUNCTION_AMBIGUOUS',
        now.name,
        `function ${now.name} is one of several that the compiler numbered, and which old one it is cannot be told; ${isClosure(now.name) ? 'put new lambdas behind the others' : 'mark the original noclone'}`,
      );
  const { relocations } = after.image;
  for (const fn of placed) {
    const first = relocations.firstFrom(fn.address);
    if (first < relocations.size && relocations.addresses[first]! < fn.address + fn.size)
      add(
        'TEXT_RELOCATION',
        fn.name,
        `function ${fn.name} holds an address that the loader fills in; build it with -fPIC`,
      );
    if (!fn.sized)
      add(
        'FUNCTION_UNSIZED',
        fn.name,
        `function ${fn.name} has no size in the symbol table; give it one with .size in its source`,
      );
    if (fn.code.undecodable !== null)
      add(
        'CODE_UNDECODABLE',
        fn.name,
        `function ${fn.name}: no instruction at +0x${fn.code.undecodable.toString(16)}; data in code cannot be patched`,
      );
    if (resolvers.has(fn.address))
      add(
        'IFUNC_CHANGED',
        fn.name,
        `function ${fn.name} chooses an implementation when the process starts; change the implementation instead`,
      );
  }
  return findings;
}
