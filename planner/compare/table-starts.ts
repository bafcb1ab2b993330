// SPDX-License-Identifier: MIT
/**
 * What tables of distances lead to begins there, and nothing in the file says so but the code that uses a table. Who finds one makes its
 * targets known as starts, so that what lies in front of them ends there.
 */
import { Kind } from '../core/load.js';
import type { CodeFunction } from '../match/functions.js';
import { pick } from '../match/things.js';
import { type DistanceTable, distancesOf, distanceTableAt, isDistances } from './distance-tables.js';
import { instructionsOf, referenceOf } from './instructions.js';
import type { Side } from './side.js';

/** More than there are functions in a file. */
const LIMIT = 2 ** 21;

/** Of one side; its named tables are found at once. */
export class TableFinder {
  /** There is any table. */
  found = false;
  readonly #side: Side;
  readonly #asked = new Set<number>();

  constructor(side: Side) {
    this.#side = side;
    const { columns } = side.objects;
    const named = pick(side.objects, (i) => isDistances(side.image.symbolTable, columns.symbols[i]!));
    for (const object of named) this.#start(distancesOf(side, object));
  }

  /** Of a table at `address`, if `fn` uses it as one. */
  ask(address: number, fn: CodeFunction): void {
    const key = address * LIMIT + fn.index;
    if (this.#asked.has(key)) return;
    this.#asked.add(key);
    this.#start(distanceTableAt(this.#side, address, fn));
  }

  /** Of all tables that `fn` uses. */
  askAll(fn: CodeFunction): void {
    for (const instruction of instructionsOf(fn))
      if (instruction.kind === Kind.address && instruction.fieldSize > 0)
        this.ask(referenceOf(fn, instruction).address, fn);
  }

  #start(table: DistanceTable | null): void {
    if (table === null) return;
    this.found = true;
    for (const target of table.targets) this.#side.addStart(target);
  }
}
