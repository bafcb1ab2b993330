// SPDX-License-Identifier: MIT
// The servers that are patched.

import { libevent } from './libevent.js';
import { libxml2 } from './libxml2.js';
import { memcached } from './memcached.js';
import { mosquitto } from './mosquitto.js';
import { nginx } from './nginx.js';
import { redis } from './redis.js';
import { slapd } from './slapd.js';
import { squid } from './squid.js';
import type { Subject } from './subject.js';

export const subjects: readonly Subject[] = [memcached, redis, nginx, mosquitto, libevent, libxml2, slapd, squid];

export function subjectNamed(name: string): Subject {
  const found = subjects.find(({ program }) => program.name === name);
  if (found) return found;
  throw new RangeError(`expected one of ${subjects.map(({ program }) => program.name).join(', ')}, found "${name}"`);
}
