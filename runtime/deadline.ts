// SPDX-License-Identifier: MIT
/** Until when something is waited for: for some time, and no longer than whoever waits wants to. */
export class Deadline {
  private readonly end: number;
  private readonly signal: AbortSignal | undefined;

  constructor(seconds: number, signal?: AbortSignal) {
    this.end = performance.now() + seconds * 1000;
    this.signal = signal;
  }

  /** Milliseconds; 0 when it is over. */
  get left(): number {
    return this.signal?.aborted ? 0 : Math.max(this.end - performance.now(), 0);
  }
}
