// SPDX-License-Identifier: MIT
/**
 * Guards: the ranges that no thread may be in when a change comes to it.
 *
 * CHANGED is where bytes are written: always guarded. BODY is heeded for strict consistency only.
 */
import { RuntimeError } from './errors.js';
import { MAX_GUARDS } from './sys/abi.js';

export interface GuardRange {
  readonly start: number;
  readonly end: number;
  readonly kind: number;
}

/** `ranges`, if the kernel takes so many. */
export function limited(ranges: readonly GuardRange[]): readonly GuardRange[] {
  if (ranges.length <= MAX_GUARDS) return ranges;
  throw new RuntimeError('GUARDS_TOO_MANY', { count: ranges.length, limit: MAX_GUARDS });
}
