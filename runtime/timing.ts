// SPDX-License-Identifier: MIT
/**
 * How long each part of an apply took, in whole microseconds. Parts that did not happen are 0.
 */

export interface Timing {
  readonly cloneUs: number;
  readonly linkUs: number;
  readonly writeUs: number;
  readonly transitionUs: number;
  readonly foldUs: number;
}

export const NO_TIMING: Timing = { cloneUs: 0, linkUs: 0, writeUs: 0, transitionUs: 0, foldUs: 0 };

export class Stopwatch {
  private readonly microseconds: Record<keyof Timing, number> = { ...NO_TIMING };

  /** Runs `action` and counts its time to `part`. */
  time<T>(part: keyof Timing, action: () => T): T {
    const begun = performance.now();
    try {
      return action();
    } finally {
      this.add(part, performance.now() - begun);
    }
  }

  add(part: keyof Timing, milliseconds: number): void {
    this.microseconds[part] += milliseconds * 1000;
  }

  timing(): Timing {
    const rounded = Object.entries(this.microseconds).map(([part, value]) => [part, Math.round(value)]);
    return Object.fromEntries(rounded) as unknown as Timing;
  }
}
