// SPDX-License-Identifier: MIT
// What the guest tells while the demo runs, and the other end of that pipe: chunks in, events out.

import type { Outcome, TrialEvent } from './trial.js';

export type GuestEvent =
  | TrialEvent
  | { readonly kind: 'guest'; readonly kernel: string; readonly processors: number }
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  /** Something that was expected did not come about: the last event. */
  | { readonly kind: 'failed'; readonly message: string };

/** Takes chunks, which may end in the middle of a line or of a character. */
export function eventReader(onEvent: (event: GuestEvent) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = rest.subarray(0, end).toString();
      rest = rest.subarray(end + 1);
      onEvent(JSON.parse(line) as GuestEvent);
    }
  };
}
