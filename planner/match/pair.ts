// SPDX-License-Identifier: MIT
/**
 * Pairs what has names: by name, then by name and source file, then, for what compilers number (`.constprop.0`, `.isra.1`,
 * `count.2`), by the name without its numbers, taking equal content first and order after that. Last come names that differ in
 * a number anywhere (`check_120` made with `__LINE__`), if their content is equal.
 *
 * A pair is a claim that both are the same thing, not that they are equal.
 */

export interface Named {
  readonly name: string;
  readonly file: string | null;
}

export interface Pairing<T> {
  readonly oldOf: ReadonlyMap<T, T>;
  readonly newOf: ReadonlyMap<T, T>;
  /** New ones of which another could be meant as well: which is which is a guess. */
  readonly guessed: ReadonlySet<T>;
}

/**
 * `content` gives equal values for things that have a good chance to be equal; `telling`: equal content makes it as good as
 * sure that they are the same, as for code and constants, but not for variables. `certain`: pairs that unique.ts has found.
 */
export function pairNamed<T extends Named>(
  olds: readonly T[],
  news: readonly T[],
  content: (thing: T) => unknown,
  telling: (thing: T) => boolean,
  certain: readonly (readonly [T, T])[] = [],
): Pairing<T> {
  const oldOf = new Map<T, T>();
  const newOf = new Map<T, T>();
  const guessed = new Set<T>();
  const join = (before: T, after: T) => {
    oldOf.set(after, before);
    newOf.set(before, after);
  };
  for (const [before, after] of certain) join(before, after);
  const otherOlds = olds.filter((thing) => !newOf.has(thing));
  const otherNews = news.filter((thing) => !oldOf.has(thing));
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

  const numbered = (name: string) => plainName(name) !== name;
  for (const { before, after } of groups(({ name }) => name))
    if (before.length === 1 && after.length === 1 && !numbered(before[0]!.name)) join(before[0]!, after[0]!);
  for (const { before, after } of groups(({ name, file }) => `${file}\0${name}`))
    if (before.length === 1 && after.length === 1 && !numbered(before[0]!.name)) join(before[0]!, after[0]!);
  for (const { before, after } of groups(({ name, file }) => `${file}\0${plainName(name)}`)) {
    const left = (list: T[], done: Map<T, T>) => list.filter((thing) => !done.has(thing));
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
  return { oldOf, newOf, guessed };
}

/** The name without what the compiler numbers: `f.constprop.0` and `f.isra.0.cold` stay apart, `.0` and `.1` do not. */
export function plainName(name: string): string {
  return name.replace(/\.\d+(?=\.|$)/g, '');
}

/** The name with each number in it as one sign; itself if there is none. */
const numberless = (name: string): string => name.replace(/\d+/g, '#');
