// SPDX-License-Identifier: MIT
/**
 * Pass 2, resolve: the run-time address of each symbol that the new code refers to.
 *
 * The target's own symbols lie at link-time address plus bias. Symbols of other objects are looked up by name and version
 * in load order, as the loader would. An IFUNC's choice is taken from a slot that the loader has relocated; without one
 * it is refused, not guessed.
 */

import { loadedAt, type Patch, type RunAddress, runAddress } from '../planner/index.js';
import { hex, RuntimeError } from './errors.js';
import type { Identified } from './identify.js';
import { DynamicObject, STT_GNU_IFUNC, STT_TLS } from './proc/dynamic.js';
import type { LoadedObject } from './proc/object.js';
import type { Process } from './proc/process.js';

/** By symbol index: the address, or null for what lies in the patch. */
export function resolve(process: Process, patch: Patch, { target, objects }: Identified): (RunAddress | null)[] {
  let scope: DynamicObject[] | undefined;
  return patch.symbols.map(({ name, binding }) => {
    if (binding.kind === 'patch') return null;
    if (binding.kind === 'target') return inTarget(name, loadedAt(binding.address, target.bias), target);
    scope ??= inLoadOrder(process, objects);
    return imported(process, scope, name, binding);
  });
}

/** One past the end is an address too: that of a symbol that marks an end. */
function inTarget(symbol: string, address: RunAddress, target: LoadedObject): RunAddress {
  if (address >= target.start && address <= target.end) return address;
  throw new RuntimeError('SYMBOL_OUTSIDE', { symbol, address: hex(address - target.bias), object: target.name });
}

/** The objects that take part in symbol lookup, as ld.so does. */
export function inLoadOrder(process: Process, objects: readonly LoadedObject[]): DynamicObject[] {
  const all = objects.map((object) => new DynamicObject(process, object));
  const order = all.map((object) => object.loadOrder()).find((list) => list.length > 0) ?? [];
  return order.flatMap((address) => all.filter(({ object }) => object.dynamic?.address === address));
}

function imported(
  process: Process,
  scope: readonly DynamicObject[],
  name: string,
  { version, weak }: { readonly version: string | null; readonly weak?: true },
): RunAddress {
  const symbol = version ? `${name}@${version}` : name;
  for (const owner of scope) {
    const found = owner.lookup(name, version);
    if (!found) continue;
    const { object } = owner;
    if (found.type === STT_TLS) throw new RuntimeError('IMPORT_TLS', { symbol, object: object.name });
    if (found.type !== STT_GNU_IFUNC) return runAddress(found.value);
    // the object that has the resolver mostly calls the function itself, through a slot that names the resolver
    const choice = [...owner.chosenBy(found.value), ...scope.flatMap((one) => one.slotValues(name))].find(
      (value) => value >= object.start && value < object.end,
    );
    if (choice !== undefined) return runAddress(choice);
    throw new RuntimeError('IMPORT_IFUNC', { symbol, object: object.name });
  }
  if (weak) return runAddress(0);
  throw new RuntimeError('IMPORT_UNRESOLVED', { symbol, pid: process.pid });
}
