// SPDX-License-Identifier: MIT
/**
 * Pairs what has names: by name, then by name and source file (both in unique.ts), then, for what compilers number (`.constprop.0`, `.isra.1`,
 * `count.2`, lambdas), by the name without its numbers, taking equal content first and order after that. Last come names that differ in
 * a number anywhere (`check_120` made with `__LINE__`), if their content is equal.
 *
 * A pair is a claim that both are the same thing, not that they are equal.
 */

import { pick, type Thing, type Things } from './things.js';

export interface Named extends Thing {
  readonly name: string;
  readonly file: string | null;
}

/** What is paired with what, by index: -1 for what has no partner. */
export class Pairing<T extends Thing> {
  readonly olds: Things<T>;
  readonly news: Things<T>;
  readonly oldIndexOf: Int32Array;
  readonly newIndexOf: Int32Array;
  /** New ones of which another could be meant as well: which is which is a guess. */
  readonly guessed: ReadonlySet<T>;
  readonly oldOf: Partners<T>;
  readonly newOf: Partners<T>;

  constructor(
    olds: Things<T>,
    news: Things<T>,
    oldIndexOf: Int32Array,
    newIndexOf: Int32Array,
    guessed: ReadonlySet<T>,
  ) {
    this.olds = olds;
    this.news = news;
    this.oldIndexOf = oldIndexOf;
    this.newIndexOf = newIndexOf;
    this.guessed = guessed;
    this.oldOf = new Partners(news, olds, oldIndexOf);
    this.newOf = new Partners(olds, news, newIndexOf);
  }
}

/** One direction of a pairing; of what belongs to the other side it knows nothing. */
export class Partners<T extends Thing> {
  readonly #from: Things<T>;
  readonly #to: Things<T>;
  readonly #index: Int32Array;

  constructor(from: Things<T>, to: Things<T>, index: Int32Array) {
    this.#from = from;
    this.#to = to;
    this.#index = index;
  }

  get(thing: T): T | undefined {
    const index = this.#from.has(thing) ? this.#index[thing.index]! : -1;
    return index < 0 ? undefined : this.#to.at(index);
  }

  has(thing: T): boolean {
    return this.#from.has(thing) && this.#index[thing.index]! >= 0;
  }
}

/**
 * `content` gives equal values for things that have a good chance to be equal; `telling`: equal content makes it as good as
 * sure that they are the same, as for code and constants, but not for variables. `certain`: pairs that unique.ts has found.
 */
export function pairNamed<T extends Named>(
  olds: Things<T>,
  news: Things<T>,
  content: (thing: T) => unknown,
  telling: (thing: T) => boolean,
  certain: Int32Array,
): Pairing<T> {
  const oldIndexOf = certain.slice();
  const newIndexOf = new Int32Array(olds.length).fill(-1);
  for (let i = 0; i < certain.length; i++) if (certain[i]! >= 0) newIndexOf[certain[i]!] = i;
  const guessed = new Set<T>();
  const pairing = new Pairing(olds, news, oldIndexOf, newIndexOf, guessed);
  const { oldOf, newOf } = pairing;
  const join = (before: T, after: T) => {
    oldIndexOf[after.index] = before.index;
    newIndexOf[before.index] = after.index;
  };
  const otherOlds = pick(olds, (i) => newIndexOf[i]! < 0);
  const otherNews = pick(news, (i) => oldIndexOf[i]! < 0);
  const groups = (key: (thing: T) => string) => {
    const table = new Map<string, { before: T[]; after: T[] }>();
    const group = (k: string) => {
      const found = table.get(k) ?? { before: [], after: [] };
      table.set(k, found);
      return found;
    };
    for (const thing of otherOlds) if (!newOf.has(thing)) group(key(thing)).before.push(thing);
    for (const thing of otherNews) if (!oldOf.has(thing)) group(key(thing)).after.push(thing);
    return [...table.values()].filter(({ before, after }) => before.length > 0 && after.length > 0);
  };

  for (const { before, after } of groups(({ name, file }) => `${file}\0${plainName(name)}`)) {
    if (isClosure(before[0]!.name) && sameNames(before, after)) {
      const named = new Map(before.map((a) => [a.name, a]));
      for (const b of after) join(named.get(b.name)!, b);
      continue;
    }
    const left = (list: T[], done: Partners<T>) => list.filter((thing) => !done.has(thing));
    // each new one takes the first old one with its key that is left; in one pass, because there may be thousands
    const take = (key: (thing: T) => unknown) => {
      const free = new Map<unknown, T[]>();
      for (const a of left(before, newOf).reverse()) {
        const list = free.get(key(a));
        if (list) list.push(a);
        else free.set(key(a), [a]);
      }
      for (const b of left(after, oldOf)) {
        const a = free.get(key(b))?.pop();
        if (a !== undefined) join(a, b);
      }
    };
    const numbers = new Map<unknown, number>();
    const contentNumber = (thing: T) => {
      const value = content(thing);
      const number = numbers.get(value) ?? numbers.size;
      numbers.set(value, number);
      return number;
    };
    take((thing) => `${contentNumber(thing)} ${thing.name}`);
    take(content);
    const rest = { before: left(before, newOf), after: left(after, oldOf) };
    take(({ name }) => name);
    take(() => null);
    const several = rest.before.length > 1 || rest.after.length > 1;
    const unsure = new Set(rest.after);
    const renumbered = before.length !== after.length;
    for (const b of after) {
      if (!oldOf.has(b)) continue;
      if (telling(b) ? several && unsure.has(b) : renumbered) guessed.add(b);
    }
  }
  // __LINE__ may be part of a name: the rest of it and the content must tell
  for (const { before, after } of groups(({ name, file }) => `${file}\0${numberless(name)}`))
    for (const b of after) {
      const same = (a: T) => !newOf.has(a) && a.name !== b.name && telling(a) && content(a) === content(b);
      const a = telling(b) ? before.find(same) : undefined;
      if (a !== undefined) join(a, b);
    }
  return pairing;
}

/**
 * The name without what the compiler numbers: `f.constprop.0` and `f.isra.0.cold` stay apart, `.0` and `.1` do not, and neither do
 * the closures of one function, nor clang's of one file.
 */
export function plainName(name: string): string {
  const closure = isClosure(name) ? name.replace(/(Ul\w*?E|\$_)\d+/g, '$1') : name;
  return closure.replace(/\.\d+(?=\.|$)/g, '');
}

/** The compiler may have numbered it: of closures the first has no number. */
export const isNumbered = (name: string): boolean => isClosure(name) || plainName(name) !== name;

/** Whether it may be what C++ makes of a lambda, or of something in one: `UlvE0_`, or clang's `$_0`. */
export const isClosure = (name: string): boolean =>
  CLOSURES.some((sign) => name.includes(sign)) && name.startsWith('_Z');
export const CLOSURES = ['Ul', '$_'];

const sameNames = (before: readonly Named[], after: readonly Named[]): boolean => {
  const [olds, news] = [before, after].map((list) => new Set(list.map(({ name }) => name)));
  return (
    olds!.size === before.length &&
    news!.size === after.length &&
    [...news!].every((name) => olds!.has(name)) &&
    olds!.size === news!.size
  );
};

/** The name with each number in it as one sign; itself if there is none. */
const numberless = (name: string): string => name.replace(/\d+/g, '#');
