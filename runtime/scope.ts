// SPDX-License-Identifier: MIT
/**
 * Where a name that the target uses is looked for, as the loader does it for an object: first in what was loaded at the start (the
 * program, what was preloaded, what these need), then in the object itself and what it needs.
 *
 * The loader keeps a list of objects for each namespace (dlmopen), in the order in which they were loaded; what
 * was loaded at the start comes first in it. An object that was opened later for all (RTLD_GLOBAL) looks like one that
 * was opened for itself: of what is left, a name counts only if one object alone has it.
 */
import { DynamicObject } from './proc/dynamic.js';
import type { LoadedObject } from './proc/object.js';
import type { Process } from './proc/process.js';

export interface Scope {
  /** In the order of the search; [] if the target is in no list of the loader's. */
  readonly ordered: readonly DynamicObject[];
  /** The target's namespace has these besides, in the order of their loading. */
  readonly others: readonly DynamicObject[];
}

export function scopeOf(process: Process, objects: readonly LoadedObject[], target: LoadedObject): Scope {
  const all = objects.map((object) => new DynamicObject(process, object));
  const lists = all.map((object) => object.namespaces()).find((found) => found.length > 0) ?? [];
  const list = lists
    .map((addresses) => addresses.flatMap((at) => all.filter(({ object }) => object.dynamic?.address === at)))
    .find((found) => found.some(({ object }) => object === target));
  if (!list) return { ordered: [], others: [] };
  const needed = withNeeded(list[0]!, list);
  const last = Math.max(...needed.map((object) => list.indexOf(object)));
  const own = withNeeded(list.find(({ object }) => object === target)!, list);
  const ordered = [...new Set([...list.slice(0, last + 1), ...own])];
  return { ordered, others: list.filter((object) => !ordered.includes(object)) };
}

/** `first`, what it needs, what these need, and so on, the nearest first. */
function withNeeded(first: DynamicObject, list: readonly DynamicObject[]): DynamicObject[] {
  const found = new Set([first]);
  for (const object of found)
    for (const name of object.needed()) {
      const next = list.find((one) => one.soname() === name) ?? list.find((one) => one.object.name === name);
      if (next) found.add(next);
    }
  return [...found];
}
