// SPDX-License-Identifier: MIT
/**
 * Functions that differ in nothing but line numbers: `__LINE__` as a number in a register, in memory, on the stack, or in a text
 * ("file.c:123").
 *
 * A number is believed to be a line only if .debug_line says so: in both files it is the line of the very instruction that has it,
 * or, if it is off by the height of a macro's arguments, it is passed where other calls of the same function pass their
 * line, or it was inlined into the line that it names. What goes into the C library must go to a function that reports something: a size that happens to be a line number stays a change
 * (CVE-2026-2291 of dnsmasq is 0x408 → 0x808 for calloc). When in doubt it is a change, and without .debug_line everything is.
 */
import { isBranch } from '../core/instruction.js';
import { Kind } from '../core/load.js';
import { type LineFinder, readLines, type SourceLine } from '../elf/dwarf/lines.js';
import type { ElfImage } from '../elf/image.js';
import { type CodeFunction, unitOf } from '../match/functions.js';
import type { Context } from './context.js';
import { instructionsOf, referenceOf } from './instructions.js';
import { takesLine } from './line-parameters.js';
import {
  type FunctionPair,
  isPush,
  type NumberDifference,
  numberDifferences,
  targetRegister,
} from './number-differences.js';
import { describe, referentAt } from './referent.js';

/** Lines that the arguments of one macro may take. */
const MACRO_HEIGHT = 64;
/** Instructions between a number and the call that it is passed to. */
const REACH = 24;

/** Which of `pairs`, whose instructions are not all the same, differ in nothing but line numbers. */
export function differOnlyInLines(context: Context, pairs: readonly FunctionPair[]): Set<FunctionPair> {
  const { before, after } = context;
  const alike = pairs
    .map((pair) => ({ pair, differences: numberDifferences(context, pair) }))
    .filter(({ differences }) => differences !== null && differences.length > 0);
  if (alike.length === 0) return new Set();
  const finder = (image: ElfImage, side: 'old' | 'new') =>
    readLines(
      image,
      [...new Set(alike.map(({ pair }) => unitOf(pair[side])))]
        .flatMap((unit) => [unit, ...unit.parts])
        .map(({ address, size }) => ({ start: address, end: address + size })),
    );
  const lines = { old: finder(before.image, 'old'), new: finder(after.image, 'new') };
  if (lines.old === null || lines.new === null) return new Set();
  const judge = new Judge(context, lines.old, lines.new);
  // calls that pass their own line tell which arguments are lines; with that knowledge the rest is judged
  for (const { pair, differences } of alike) for (const difference of differences!) judge.learn(pair, difference);
  return new Set(
    alike
      .filter(({ pair, differences }) => differences!.every((difference) => judge.isLine(pair, difference)))
      .map(({ pair }) => pair),
  );
}

interface MovedLine {
  readonly line: number;
  readonly shifts: ReadonlySet<number>;
}

/** Where a number is passed to. */
interface Argument {
  readonly key: string;
  /** A line may be passed there. */
  readonly reports: boolean;
  /** The parameter's name says that it is a line. */
  readonly named: boolean;
}

class Judge {
  readonly #context: Context;
  readonly #old: LineFinder;
  readonly #new: LineFinder;
  /** What is called and with which register: there it takes a line. */
  readonly #takers = new Set<string>();
  readonly #moved = new Map<CodeFunction, readonly MovedLine[]>();

  constructor(context: Context, old: LineFinder, now: LineFinder) {
    this.#context = context;
    this.#old = old;
    this.#new = now;
  }

  learn(pair: FunctionPair, difference: NumberDifference): void {
    const argument = this.#argument(pair.new, difference);
    if (argument?.reports && this.#isExact(pair, difference)) this.#takers.add(argument.key);
  }

  isLine(pair: FunctionPair, difference: NumberDifference): boolean {
    const argument = this.#argument(pair.new, difference);
    if (argument !== null && !argument.reports) return false;
    if (this.#isExact(pair, difference) || this.#isInlined(pair, difference)) return true;
    const taken = argument !== null && (argument.named || this.#takers.has(argument.key));
    if (!difference.named && !taken) return false;
    // what takes it may have been inlined in part, and its line is that of the call
    if (taken && this.#areMoved(pair, difference)) return true;
    return difference.numbers.every(([old, now]) =>
      this.#places(pair, difference).some(
        ([x, y]) => now - old === y.line - x.line && Math.abs(old - x.line) <= MACRO_HEIGHT,
      ),
    );
  }

  /** The numbers are the lines of their instructions. */
  #isExact(pair: FunctionPair, difference: NumberDifference): boolean {
    return difference.numbers.every(([old, now]) =>
      this.#places(pair, difference).some(([x, y]) => x.line === old && y.line === now),
    );
  }

  /**
   * The instruction belongs to a function of another file that was inlined with the line as its argument, and the numbers are a
   * line of the caller, in both files at the same instruction.
   */
  #isInlined(pair: FunctionPair, difference: NumberDifference): boolean {
    const { old } = pair;
    const { old: x } = difference;
    const home = this.#home(unitOf(old));
    const own = this.#old(old.address + x.offset);
    if (home === undefined || own.length === 0 || own.some(({ file }) => file === home)) return false;
    return this.#areMoved(pair, difference);
  }

  /** The numbers are lines of the function, and moved as those around them did. */
  #areMoved({ old, new: now }: FunctionPair, { numbers }: NumberDifference): boolean {
    const moved = this.#movedLines(unitOf(old), unitOf(now));
    return numbers.every(([before, after]) => {
      const above = moved.findIndex(({ line }) => line >= before);
      const below = moved[above]?.line === before ? above : above - 1;
      return [moved[below], moved[above]].every((place) => place?.shifts.has(after - before) ?? false);
    });
  }

  /** The file that a function is defined in. */
  #home(unit: CodeFunction): string | undefined {
    return this.#old(unit.address)[0]?.file;
  }

  /** For every line of a function's own file by how much one and the same instruction's moved; in their order. */
  #movedLines(old: CodeFunction, now: CodeFunction): readonly MovedLine[] {
    const known = this.#moved.get(old);
    if (known !== undefined) return known;
    const moved = new Map<number, Set<number>>();
    const home = this.#home(old);
    for (const part of [old, ...old.parts]) {
      const other = part === old ? now : this.#context.functions.newOf.get(part);
      const [olds, news] = [instructionsOf(part), other === undefined ? [] : instructionsOf(other)];
      if (other === undefined || olds.length !== news.length) continue;
      olds.forEach(({ offset }, i) => {
        const after = this.#new(other.address + news[i]!.offset);
        for (const { file, line } of this.#old(part.address + offset)) {
          if (file !== home) continue;
          const shifts = moved.get(line) ?? new Set();
          for (const n of after) if (n.file === home) moved.set(line, shifts.add(n.line - line));
        }
      });
    }
    const sorted = [...moved].sort(([a], [b]) => a - b).map(([line, shifts]) => ({ line, shifts }));
    this.#moved.set(old, sorted);
    return sorted;
  }

  #places({ old: a, new: b }: FunctionPair, { old: x, new: y }: NumberDifference): [SourceLine, SourceLine][] {
    const olds = this.#old(a.address + x.offset);
    const news = this.#new(b.address + y.offset);
    return olds.flatMap((o) => news.filter((n) => n.file === o.file).map((n): [SourceLine, SourceLine] => [o, n]));
  }

  /** The call that a register filled with a number is passed to, if it is one of the next instructions. */
  #argument(fn: CodeFunction, { index, new: move }: NumberDifference): Argument | null {
    if (isPush(move) || move.kind === Kind.address || move.kind === Kind.memory) return null;
    const register = targetRegister(fn, move);
    if (register === null) return null;
    const all = instructionsOf(fn);
    for (let i = index + 1, left = REACH; i < all.length && left > 0; left--) {
      const instruction = all[i]!;
      const { address } = referenceOf(fn, instruction);
      const inside = address >= fn.address && address < fn.address + fn.size;
      if (instruction.kind === Kind.jump && inside) {
        i = all.findIndex(({ offset }) => fn.address + offset >= address);
        if (i < 0) return null;
      } else if (instruction.kind === Kind.call || (instruction.kind === Kind.jump && !inside)) {
        const referent = referentAt(this.#context.after, address);
        const name = describe(referent);
        const called = referent.kind === 'function' && referent.offset === 0 ? referent.fn : null;
        const named = called && takesLine(this.#context.after.image, called, register);
        const reports = named ?? (!name.includes('@GLIBC_') || REPORTS.test(name));
        return { key: `${name} ${register}`, reports, named: named === true };
      } else if (isBranch(instruction.kind)) return null;
      else i++;
    }
    return null;
  }
}

/** Functions of the C library that a line may be passed to: they print, log, or end the program. */
const REPORTS = /assert|print|syslog|err|warn|fail|abort|message|backtrace/;
