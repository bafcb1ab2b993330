// SPDX-License-Identifier: MIT
/**
 * Pass 2, resolve: the run-time address of each symbol that the new code refers to.
 *
 * The target's own symbols lie at link-time address plus bias. Symbols of other objects are looked up by name and version,
 * as the loader would (`scope.ts`). An IFUNC's choice is taken from a slot that the loader has relocated; without one
 * it is refused, not guessed.
 */

import { loadedAt, type Patch, type RunAddress, runAddress } from '../planner/index.js';
import { hex, RuntimeError } from './errors.js';
import type { Identified } from './identify.js';
import { type DynamicObject, type DynamicSymbol, STT_GNU_IFUNC, STT_TLS } from './proc/dynamic.js';
import type { LoadedObject } from './proc/object.js';
import type { Process } from './proc/process.js';
import { type Scope, scopeOf } from './scope.js';

/** By symbol index: the address, or null for what lies in the patch. */
export function resolve(process: Process, patch: Patch, { target, objects }: Identified): (RunAddress | null)[] {
  let scope: Scope | undefined;
  return patch.symbols.map(({ name, binding }) => {
    if (binding.kind === 'patch') return null;
    if (binding.kind === 'target') return inTarget(name, loadedAt(binding.address, target.bias), target);
    scope ??= scopeOf(process, objects, target);
    if (scope.ordered.length === 0)
      throw new RuntimeError('NO_SCOPE', { symbol: name, object: target.name, pid: process.pid });
    return imported(process, scope, name, binding);
  });
}

/** One past the end is an address too: that of a symbol that marks an end. */
function inTarget(symbol: string, address: RunAddress, target: LoadedObject): RunAddress {
  if (address >= target.start && address <= target.end) return address;
  throw new RuntimeError('SYMBOL_OUTSIDE', { symbol, address: hex(address - target.bias), object: target.name });
}

function imported(
  process: Process,
  scope: Scope,
  name: string,
  { version, weak }: { readonly version: string | null; readonly weak?: true },
): RunAddress {
  const symbol = version ? `${name}@${version}` : name;
  const found = define(scope, name, version, symbol);
  if (!found) {
    if (weak) return runAddress(0);
    throw new RuntimeError('IMPORT_UNRESOLVED', { symbol, pid: process.pid });
  }
  const { owner, type, value } = found;
  const { object } = owner;
  if (type === STT_TLS) throw new RuntimeError('IMPORT_TLS', { symbol, object: object.name });
  if (type !== STT_GNU_IFUNC) return runAddress(value);
  // the object that has the resolver mostly calls the function itself, through a slot that names the resolver
  const slots = [...scope.ordered, ...scope.others].flatMap((one) => one.slotValues(name));
  const choice = [...owner.chosenBy(value), ...slots].find((one) => one >= object.start && one < object.end);
  if (choice !== undefined) return runAddress(choice);
  throw new RuntimeError('IMPORT_IFUNC', { symbol, object: object.name });
}

type Definition = DynamicSymbol & { readonly owner: DynamicObject };

function define({ ordered, others }: Scope, name: string, version: string | null, symbol: string): Definition | null {
  const of = (owner: DynamicObject): Definition[] => {
    const found = owner.lookup(name, version);
    return found ? [{ ...found, owner }] : [];
  };
  for (const owner of ordered) {
    const [found] = of(owner);
    if (found) return found;
  }
  const [first, second] = others.flatMap(of);
  if (first && second)
    throw new RuntimeError('IMPORT_AMBIGUOUS', {
      symbol,
      one: first.owner.object.name,
      other: second.owner.object.name,
    });
  return first ?? null;
}
