// SPDX-License-Identifier: MIT
/**
 * Pass 1, identify: which object of the process is the one that the patch is for.
 *
 * It goes by build id alone. A file name or a path never decides; they only help to say what was found instead.
 */
import type { PatchTarget } from '../planner/index.js';
import { RuntimeError } from './errors.js';
import type { Mapping } from './proc/maps.js';
import { foreignCode, type LoadedObject, loadedObjects } from './proc/object.js';
import type { Process } from './proc/process.js';

export interface Identified {
  readonly target: LoadedObject;
  /** All objects, for imports. */
  readonly objects: readonly LoadedObject[];
}

export function identify(process: Process, maps: readonly Mapping[], wanted: PatchTarget): Identified {
  const objects = loadedObjects(process, maps);
  const found = objects.filter(({ buildId }) => buildId === wanted.buildId);
  if (found.length > 1)
    throw new RuntimeError('TARGET_TWICE', { pid: process.pid, name: wanted.name, count: found.length });
  const target = found[0];
  if (target) return { target, objects };

  const foreign = objects.length === 0 ? foreignCode(process, maps) : null;
  if (foreign) throw new RuntimeError('NOT_X86_64', { pid: process.pid, object: foreign });
  const namesake = objects.find(({ name }) => name === wanted.name) ?? objects[0];
  throw new RuntimeError('WRONG_BUILD', {
    pid: process.pid,
    object: namesake?.path ?? 'no ELF object at all',
    found: namesake?.buildId ?? 'none',
    name: wanted.name,
    wanted: wanted.buildId,
  });
}
