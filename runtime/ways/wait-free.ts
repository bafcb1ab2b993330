// SPDX-License-Identifier: MIT
/**
 * The wait-free way: the change is made in a view, threads migrate into it one by one, and once the last has, the view is
 * folded into the base.
 *
 * The kernel does the work; this only looks. Looking may stop at any time: the transition goes on without us, and a later
 * call attaches to it again. `attach` gives a way whose change is made already: only `transition` is left to call.
 */
import type { RunAddress } from '../../planner/index.js';
import type { GuardRange } from '../guards.js';
import type { Process } from '../proc/process.js';
import { View } from '../view.js';
import { foldBefore, watch } from './watch.js';
import type { Near, Outcome, Terms, Way } from './way.js';

export class WaitFree implements Way {
  private readonly view: View;
  private readonly process: Process;
  private readonly begun: boolean;

  private constructor(view: View, process: Process, begun: boolean) {
    this.view = view;
    this.process = process;
    this.begun = begun;
  }

  static open(process: Process): WaitFree {
    return new WaitFree(View.clone(process.pidfd, process.pid), process, false);
  }

  /** The transition that is under way or not yet folded; null if there is none. */
  static attach(process: Process): WaitFree | null {
    const view = View.attach(process.pidfd, process.pid);
    return view && new WaitFree(view, process, true);
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

  async transition({ consistency, deadline, clock, emit }: Terms): Promise<Outcome> {
    const { view, process } = this;
    const started = performance.now();
    if (!this.begun) view.migrateAll(consistency);
    const { complete, at } = await watch(view, process, deadline, emit);
    clock.add('transitionUs', at - started);

    const { total, migrated } = view.state();
    const folding = performance.now();
    const done = complete && (await foldBefore(view, deadline));
    if (complete) clock.add('foldUs', performance.now() - folding);
    return { done, underWay: !done, total, migrated, threads: view.state().threads };
  }

  close(): void {
    this.view.close();
  }
}
