// SPDX-License-Identifier: MIT
/**
 * What a process carries: each patch with its state, derived from the process's texts alone.
 *
 *     newest text    the other texts         state
 *     has it         all have it             applied      threads run it, or what lies over it
 *     has it         one has it not          pending      a transition to it is under way, or not yet folded
 *     has it not     one has it              reverting    the same backwards
 *     has it not     none has it             inactive     its memory is there still; no thread comes to its code
 *
 * Invariant: nothing is remembered anywhere else, so what is said here is what threads run.
 */
import type { Mapping } from './proc/maps.js';
import type { Process } from './proc/process.js';
import type { PatchRecord } from './record.js';
import { Layered } from './records.js';
import { type Text, Texts } from './texts.js';

export type PatchState = 'applied' | 'pending' | 'reverting' | 'inactive';

export interface Patched {
  readonly record: PatchRecord;
  readonly state: PatchState;
  /** Patches that lie over this one in the newest text, the topmost first. */
  readonly over: readonly PatchRecord[];
}

export class Carried {
  readonly texts: Texts;
  readonly newest: Layered;
  readonly patches: readonly Patched[];
  private readonly layered: ReadonlyMap<Text, Layered>;

  constructor(process: Process, maps: readonly Mapping[]) {
    this.texts = new Texts(process);
    try {
      this.layered = new Map(this.texts.all().map((text) => [text, new Layered(text, maps)]));
      this.newest = this.layered.get(this.texts.newest)!;
      this.patches = this.newest.records.map((record) => ({
        record,
        state: this.stateOf(record),
        over: this.newest.over(record.arena),
      }));
    } catch (error) {
      this.texts.close();
      throw error;
    }
  }

  /** Every text that a thread may run, the newest included. */
  all(): Layered[] {
    return [...this.layered.values()];
  }

  in(text: Text): Layered {
    return this.layered.get(text)!;
  }

  close(): void {
    this.texts.close();
  }

  private stateOf({ arena }: PatchRecord): PatchState {
    const stands = this.all().map((one) => one.stands(arena));
    if (this.newest.stands(arena)) return stands.every((there) => there) ? 'applied' : 'pending';
    return stands.some((there) => there) ? 'reverting' : 'inactive';
  }
}
