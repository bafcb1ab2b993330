// SPDX-License-Identifier: MIT
/** A thread that is still to go, and what holds it, in words. */
import { hex } from './errors.js';
import type { Place } from './names.js';
import type { PendingThread } from './pending.js';
import type { Why } from './sys/abi.js';

const REASONS: Readonly<Record<Why, string>> = {
  none: 'has just migrated',
  'not-asked': 'has not been asked to migrate',
  running: 'is running and has not been back at user mode’s door yet',
  pc: 'runs',
  stack: 'has on its stack',
  'signal-stack': 'runs on a signal stack',
  uprobe: 'is under a uprobe',
  'stack-unreadable': 'has a stack that cannot be read',
  'safe-point': 'has not come to a safe point of its program yet',
  traced: 'is held by a debugger or tracer, which has to let go of it first',
};

export function threadLine({ tid, name, why, where, place, caller }: PendingThread): string {
  const who = `thread ${tid} (${name})`;
  if (place) return `${who} is in ${placeText(place)}${caller ? `, called from ${placeText(caller)}` : ''}`;
  return `${who} ${REASONS[why]}${where === null ? '' : ` ${hex(where)}`}`;
}

const placeText = (place: Place) =>
  `${place.function}+${hex(place.offset)}${place.patch === null ? '' : ` of ${place.patch}`}`;
