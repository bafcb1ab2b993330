// SPDX-License-Identifier: MIT
// What the guest tells while the demo runs.

import type { Outcome, TrialEvent } from './trial.js';

export type GuestEvent =
  | TrialEvent
  | { readonly kind: 'guest'; readonly kernel: string; readonly processors: number }
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  /** Something that was expected did not come about: the last event. */
  | { readonly kind: 'failed'; readonly message: string };
