// SPDX-License-Identifier: MIT
/**
 * The wait-free way: the change is made in a view, threads migrate into it one by one, and once the last has, the view is
 * folded into the base.
 *
 * The kernel does the work; this only looks. Looking may stop at any time: the transition goes on without us, and a later
 * call attaches to it again. `attach` gives a way whose change is made already: only `transition` is left to call.
 */
import type { RunAddress } from '../../planner/index.js';
import { RuntimeError } from '../errors.js';
import type { GuardRange } from '../guards.js';
import type { Process } from '../proc/process.js';
import { callToSafePoints, dismissFromSafePoints, safePointWords } from '../safe-points.js';
import { View } from '../view.js';
import { foldBefore, watch } from './watch.js';
import type { Near, Outcome, Terms, Way } from './way.js';

export class WaitFree implements Way {
  private view: View;
  private readonly process: Process;
  private readonly words: readonly RunAddress[];
  private readonly begun: boolean;

  private constructor(view: View, process: Process, words: readonly RunAddress[], begun: boolean) {
    this.view = view;
    this.process = process;
    this.words = words;
    this.begun = begun;
  }

  /** `words`: where its safe points are. */
  static open(process: Process, words: readonly RunAddress[]): WaitFree {
    return new WaitFree(View.clone(process.pidfd, process.pid), process, words, false);
  }

  /** The transition that is under way or not yet folded; null if there is none. */
  static attach(process: Process): WaitFree | null {
    const words = safePointWords(process);
    const view = View.attach(process.pidfd, process.pid);
    return view && new WaitFree(view, process, words, true);
  }

  map(near: Near, codeSize: number, dataSize: number): RunAddress {
    return this.view.map(near, codeSize, dataSize);
  }

  write(address: RunAddress, bytes: Uint8Array): void {
    this.view.write(address, bytes);
  }

  guard(ranges: readonly GuardRange[]): void {
    this.view.guard(ranges);
  }

  /** One that a newer transition overtakes goes on as that one: it leads on from here. */
  async transition({ consistency, deadline, clock, emit, begun }: Terms): Promise<Outcome> {
    const { process, words } = this;
    const started = performance.now();
    if (!this.begun) this.view.migrateAll(consistency, words.length > 0);
    else if (consistency === 'entry') this.loosen(words.length > 0);
    begun();
    // Not before: a thread that comes along finds the view that all are asked to.
    if (!this.begun) callToSafePoints(process, words);
    for (;;) {
      const { end, at } = await watch(this.view, process, deadline, emit);
      const { total, migrated } = this.view.state();
      const folding = performance.now();
      const folded = end === 'complete' ? await foldBefore(this.view, deadline) : end;
      if (folded === 'superseded' && this.follow()) continue;
      clock.add('transitionUs', at - started);
      if (end === 'complete') clock.add('foldUs', performance.now() - folding);
      const done = folded !== 'deadline';
      if (done) dismissFromSafePoints(process, words);
      return { done, underWay: !done, total, migrated: done ? total : migrated, threads: this.view.state().threads };
    }
  }

  /** Goes on with the newest transition; false if that has come to its end, and been folded. */
  private follow(): boolean {
    const newer = View.attach(this.process.pidfd, this.process.pid);
    if (!newer) return false;
    this.view.close();
    this.view = newer;
    return true;
  }

  /** Who waits for threads to leave a stack may decide that it need not be. */
  private loosen(cooperative: boolean): void {
    try {
      this.view.migrateAll('entry', cooperative);
    } catch (error) {
      // Folded or overtaken just now.
      if (!(error instanceof RuntimeError) || error.code !== 'OTHER_TRANSITION') throw error;
    }
  }

  close(): void {
    this.view.close();
  }
}
