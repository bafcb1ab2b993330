// SPDX-License-Identifier: MIT
/**
 * A short wait that keeps the thread: ptrace obeys only the one that has begun to trace, and the event loop must not run anything
 * else while others are stopped.
 */
const NEVER = new Int32Array(new SharedArrayBuffer(4));
const SHORT_MS = 0.05;

export function pause(milliseconds: number = SHORT_MS): void {
  Atomics.wait(NEVER, 0, 0, milliseconds);
}
