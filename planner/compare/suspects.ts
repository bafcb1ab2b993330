// SPDX-License-Identifier: MIT
/**
 * Which functions must be looked at closely: all but those that the sweep (core/assembly/sweep.ts) shows to be the same. It only ever
 * spares work: what is no suspect, `sameFunction` would have called the same as well.
 *
 * The core has compared all code, and what refers to functions, variables and imports. Left is its queue: references whose content
 * tells. Equal content is found here without asking what it is; where it is not equal, references.ts decides.
 */
import { ENTRY_WORDS, type Places, type SweepSide, type Swept, sweep, sweepable, Verdict } from '../core/sweep.js';
import type { ElfImage } from '../elf/image.js';
import { isThreadLocal } from '../elf/sections.js';
import { STT_TLS } from '../elf/symbols.js';
import type { CodeFunction } from '../match/functions.js';
import { pick } from '../match/things.js';
import { codeOf, loadedRange } from './code-range.js';
import { ConstantReader, distanceAt } from './constant-reader.js';
import type { Context } from './context.js';
import { distanceTableAt } from './distance-tables.js';
import { referencesTo } from './instructions.js';
import type { PairNumbers } from './places.js';
import { isEnd, sameReference } from './references.js';
import type { Side } from './side.js';
import { TableFinder } from './table-starts.js';
import { threadLayoutMoved } from './thread-access.js';
import { sameRun } from './unchanged-objects.js';

/** New functions that differ from their old ones, may do so, or have none; in order of address. */
export function findSuspects(context: Context): CodeFunction[] {
  const { before, after } = context;
  // the sweep takes the addresses in a fixed program for numbers
  if (context.after.image.kind === 'exec') return [...context.after.functions];
  // and distances from the thread pointer, which mean other variables once those have moved
  if (threadLayoutMoved(context)) return [...context.after.functions];
  if (!sweepable(loadedRange(before.image)) || !sweepable(loadedRange(after.image))) return [...after.functions];
  const { known } = context;
  const describe = (side: Side, places: Places, { functions }: PairNumbers): SweepSide => {
    return { ...loadedRange(side.image), code: codeOf(side.image), places, single: withoutPartner(side, functions) };
  };
  const swept = sweep(
    context.space,
    describe(before, known.oldPlaces, known.old),
    describe(after, known.newPlaces, known.now),
    extentsOf(context),
  );
  before.useTargets(swept.oldTargets);
  after.useTargets(swept.newTargets);
  const suspect = new Queue(context, swept).judge();
  const { oldIndexOf } = context.functions;
  return pick(after.functions, (index) => oldIndexOf[index]! < 0 || suspect[index] === LOOK);
}

/** Address and size of each function that has none. */
function withoutPartner({ functions }: Side, pairs: Int32Array): Uint32Array {
  const { addresses, sizes } = functions.columns;
  const single: number[] = [];
  pairs.forEach((pair, i) => {
    if (pair < 0) single.push(addresses[i]!, sizes[i]!);
  });
  return Uint32Array.from(single);
}

/** Where both functions of each pair are; a new one without a partner is paired with nothing at all. */
function extentsOf({ before, after, functions: { oldIndexOf } }: Context): Uint32Array {
  const [old, now] = [before.functions.columns, after.functions.columns];
  const extents = new Uint32Array(oldIndexOf.length * 4);
  for (let i = 0; i < oldIndexOf.length; i++) {
    const partner = oldIndexOf[i]!;
    if (partner < 0) continue;
    extents[i * 4] = old.addresses[partner]!;
    extents[i * 4 + 1] = old.sizes[partner]!;
    extents[i * 4 + 2] = now.addresses[i]!;
    extents[i * 4 + 3] = now.sizes[i]!;
  }
  return extents;
}

const LOOK = 1;
const FINE = 0;
const LATELY = 2 ** 16;
/** What is no table of distances may lead anywhere: only tables and constants of so many bytes are compared before the code is asked. */
const SHORT_TABLE = 256;
const SHORT_CONSTANT = 2 ** 14;
/** Most bytes that an instruction loads, by what the queue says of it; 0: it takes the address. */
const WIDTHS = [0, 16, 64];

/** The core's queue, judged by content. */
class Queue {
  readonly #context: Context;
  readonly #swept: Swept;
  #answers = new Answers();
  readonly #old: ConstantReader;
  readonly #now: ConstantReader;

  constructor(context: Context, swept: Swept) {
    this.#context = context;
    this.#swept = swept;
    this.#old = new ConstantReader(context.before);
    this.#now = new ConstantReader(context.after);
  }

  /** For each pair whether it must be looked at. */
  judge(): Uint8Array {
    const { verdicts, queue } = this.#swept;
    const { before, after } = this.#context;
    let asked = Verdict.lookClosely;
    if (threadLocals(before.image) !== threadLocals(after.image)) asked |= Verdict.threadLocal;
    if (before.image.kind === 'exec' || after.image.kind === 'exec') asked |= Verdict.absolute;
    const suspect = new Uint8Array(verdicts.length);
    for (let i = 0; i < verdicts.length; i++) suspect[i] = (verdicts[i]! & asked) === 0 ? FINE : LOOK;
    this.#context.known.learn((a, b) => this.#sameContent(a, b, 0));
    const different = new Set<number>();
    for (let i = 0; i < queue.length; i += ENTRY_WORDS) {
      const pair = queue[i + 2]! >>> 2;
      if (suspect[pair] === FINE && !this.#sameEntry(i)) {
        suspect[pair] = LOOK;
        different.add(pair);
      }
    }
    if (different.size === 0 || !this.#startTargets()) return suspect;
    // what these were compared with may have been longer than it is
    this.#forget();
    for (const pair of different) suspect[pair] = FINE;
    for (let i = 0; i < queue.length; i += ENTRY_WORDS) {
      const pair = queue[i + 2]! >>> 2;
      if (different.has(pair) && suspect[pair] === FINE && !this.#sameEntry(i)) suspect[pair] = LOOK;
    }
    return suspect;
  }

  #sameEntry(i: number): boolean {
    const { queue } = this.#swept;
    const [a, b, width, pair] = [queue[i]!, queue[i + 1]!, WIDTHS[queue[i + 2]! & 3]!, queue[i + 2]! >>> 2];
    return this.#same(a, b, width, pair) || (width > 0 && this.#sameLoads(a, b, pair));
  }

  /**
   * What tables of distances lead to begins there, and nothing but the code that uses a table tells that it is one. So it is asked only
   * where some constants seem to differ: each ends at the latest where the next begins. Says whether there is any such table.
   */
  #startTargets(): boolean {
    const { queue, verdicts } = this.#swept;
    const { before, after, functions, known } = this.#context;
    const [old, now] = [new TableFinder(before), new TableFinder(after)];
    for (let i = 0; i < queue.length; i += ENTRY_WORDS) {
      const [a, b] = [queue[i]!, queue[i + 1]!];
      if ((queue[i + 2]! & 3) !== 0 || !this.#old.leadsToConstant(a) || !this.#now.leadsToConstant(b)) continue;
      const [fn, other] = known.functionPair(queue[i + 2]! >>> 2);
      old.ask(a, fn);
      now.ask(b, other);
    }
    // the queue says nothing of functions that are not in step, or have no partner
    const isApart = (i: number) => functions.oldIndexOf[i]! < 0 || (verdicts[i]! & Verdict.lookClosely) !== 0;
    for (const fn of pick(after.functions, isApart)) now.askAll(fn);
    const isOldApart = (i: number) => functions.newIndexOf[i]! < 0 || isApart(functions.newIndexOf[i]!);
    for (const fn of pick(before.functions, isOldApart)) old.askAll(fn);
    return old.found || now.found;
  }

  #forget(): void {
    const { equalObjects, equalConstants, taken } = this.#context;
    equalObjects.clear();
    equalConstants.clear();
    taken.length = 0;
    this.#answers = new Answers();
  }

  #same(a: number, b: number, width: number, pair: number): boolean {
    const answer = this.#answers.get(a, b, width);
    if (answer !== null) return answer;
    if (width === 0 && (this.#old.isTable(a) || this.#now.isTable(b))) {
      const [old, now] = this.#context.known.functionPair(pair);
      return this.#sameTable(a, b, old, now) || this.#sameByMeaning(a, b, width, pair);
    }
    const leads = width === 0 && (this.#old.leadsToConstant(a) || this.#now.leadsToConstant(b));
    const alike = !leads || (this.#sameContent(a, b, 0) && this.#leadAlike(a, b));
    if (!alike) {
      const [old, now] = this.#context.known.functionPair(pair);
      const { before, after } = this.#context;
      if (distanceTableAt(before, a, old) !== null || distanceTableAt(after, b, now) !== null)
        return this.#sameByMeaning(a, b, width, pair);
    }
    const same =
      this.#sameInside(a, b) ||
      this.#sameEnd(a, b, pair) ||
      this.#sameContent(a, b, width) ||
      this.#sameByMeaning(a, b, width, pair);
    // who refers matters where an address may be the end of an object, or that of a table
    if (alike && this.#context.before.objectBefore(a) === null) this.#answers.set(a, b, width, same);
    return same;
  }

  /** Were they tables of distances, they would lead to equal constants: so nobody need ask the code whether they are. */
  #leadAlike(a: number, b: number): boolean {
    const room = this.#context.before.nextStart(a) - a;
    if (this.#context.after.nextStart(b) - b !== room || room > SHORT_TABLE) return false;
    for (let at = 0; at + 4 <= room; at += 4) {
      const [to, otherTo] = [this.#old.entryAt(a, at), this.#now.entryAt(b, at)];
      // to what lies in the same room, which is equal
      if (to > a && to < a + room && to - a === otherTo - b) continue;
      const leads = this.#old.isDistance(a, at, room);
      if (leads !== this.#now.isDistance(b, at, room)) return false;
      if (!leads) return true;
      if (this.#context.before.nextStart(to) - to > SHORT_CONSTANT || !this.#sameContent(to, otherTo, 0)) return false;
    }
    return true;
  }

  /** One offset of two functions that are in step: from a .cold part back into its function, for one. */
  #sameInside(a: number, b: number): boolean {
    const { before, after } = this.#context;
    if (!this.#old.isCode(a)) return false;
    const [old, now] = [before.functions.indexAt(a), after.functions.indexAt(b)];
    if (old < 0 || now < 0) return false;
    const [olds, news] = [before.functions.columns, after.functions.columns];
    if (a - olds.addresses[old]! !== b - news.addresses[now]!) return false;
    const pair = this.#context.functions.newIndexOf[old]!;
    if (pair !== now) return false;
    return (this.#swept.verdicts[pair]! & Verdict.lookClosely) === 0;
  }

  /** A branch to where the function ends, which is never taken: there is no other code. */
  #sameEnd(a: number, b: number, pair: number): boolean {
    const [old, now] = this.#context.known.functionPair(pair);
    return isEnd(this.#context.before, old, a) && isEnd(this.#context.after, now, b);
  }

  #sameByMeaning(a: number, b: number, width: number, pair: number): boolean {
    // how many bytes of an unnamed constant are loaded, only the instruction tells
    const loaded = width > 0;
    if (loaded && this.#context.before.objectAt(a) === null && !this.#old.isSlot(a)) return false;
    const [old, now] = this.#context.known.functionPair(pair);
    return sameReference(this.#context, { from: old, address: a, loaded }, { from: now, address: b, loaded });
  }

  /** What the function, which is in step with the other, loads from there is less than any instruction could, and that is the same. */
  #sameLoads(a: number, b: number, pair: number): boolean {
    const [old, now] = this.#context.known.functionPair(pair);
    return referencesTo(old, a).every((reference) =>
      sameReference(this.#context, reference, { ...reference, from: now, address: b }),
    );
  }

  /** Constants without relocations, equal up to where the next thing begins, and if they are texts up to their ends. */
  #sameContent(a: number, b: number, width: number): boolean {
    const old = this.#old.constantAt(a);
    const now = this.#now.constantAt(b);
    if (old === null || now === null) return false;
    const [x, y] = [a - old.address, b - now.address];
    // of a loaded one all that any instruction could load, or all that there is
    const loaded = width > 0;
    const rest = Math.min(width, old.bytes.length - x);
    const room = loaded ? rest : this.#context.before.nextStart(a) - a;
    if (loaded && Math.min(width, now.bytes.length - y) !== rest) return false;
    if (!loaded && this.#context.after.nextStart(b) - b !== room) return false;
    if (x + room > old.bytes.length || y + room > now.bytes.length) return false;
    if (this.#old.isFilled(a, a + room) || this.#now.isFilled(b, b + room)) return false;
    if (!sameRun(old.bytes, x, now.bytes, y, room)) return false;
    if (loaded) return true;
    // a text may go on behind the start of another, whose end it shares
    for (let i = room; x + i < old.bytes.length && old.bytes[x + i - 1] !== 0; i++)
      if (old.bytes[x + i] !== now.bytes[y + i]) return false;
    return true;
  }

  /** Jump tables whose entries lead to the same offsets of the function itself, which is in step with the other. */
  #sameTable(a: number, b: number, fn: CodeFunction, other: CodeFunction): boolean {
    if (fn.parent !== null || fn.parts.length > 0 || other.parent !== null || other.parts.length > 0) return false;
    const { before, after } = this.#context;
    const old = this.#old.constantAt(a);
    const now = this.#now.constantAt(b);
    if (old === null || now === null) return false;
    const [x, y] = [a - old.address, b - now.address];
    const room = Math.min(before.nextStart(a) - a, after.nextStart(b) - b, old.bytes.length - x, now.bytes.length - y);
    for (let at = 0; at + 4 <= room; at += 4) {
      const to = a + distanceAt(old.bytes, x + at) - fn.address;
      const otherTo = b + distanceAt(now.bytes, y + at) - other.address;
      const inside = to >= 0 && to <= fn.size;
      if (inside !== (otherTo >= 0 && otherTo <= other.size)) return false;
      if (!inside) return at > 0;
      if (to !== otherTo) return false;
    }
    return room >= 4;
  }
}

/** Answers that were given lately: many functions refer to one constant. */
class Answers {
  readonly #keys = new Float64Array(LATELY);
  readonly #others = new Float64Array(LATELY);
  readonly #answers = new Uint8Array(LATELY);

  get(a: number, b: number, width: number): boolean | null {
    const at = this.#placeOf(a);
    return this.#keys[at] === a * 128 + width + 1 && this.#others[at] === b ? this.#answers[at] === 1 : null;
  }

  set(a: number, b: number, width: number, same: boolean): void {
    const at = this.#placeOf(a);
    this.#keys[at] = a * 128 + width + 1;
    this.#others[at] = b;
    this.#answers[at] = same ? 1 : 0;
  }

  #placeOf(address: number): number {
    return (Math.imul(address, 0x9e3779b1) >>> 15) & (LATELY - 1);
  }
}

/** How thread-local storage is laid out. */
function threadLocals({ sections, symbolTable }: ElfImage): string {
  const blocks = sections.filter(isThreadLocal).map(({ name, size, align }) => `${name} ${size} ${align}`);
  const variables = symbolTable.ofType(STT_TLS).filter(({ section }) => section !== 0);
  return [...blocks, ...variables.map(({ name, value, size }) => `${name} ${value} ${size}`).sort()].join('\n');
}
