// SPDX-License-Identifier: MIT
/**
 * The kernel's ABI in numbers: include/uapi/linux/mmview.h and the x86-64 system call table, and nothing else.
 *
 * Invariant: every number here is compared with the header as gcc sees it, by tests/runtime/abi.test.ts.
 */
import { defineStruct } from './structs.js';

export const NR = {
  wait4: 61,
  ptrace: 101,
  pidfd_send_signal: 424,
  pidfd_open: 434,
  mmview_clone: 500,
  mmview_migrate: 501,
} as const;

export const CLONE_ATTACH = 0x1;
export const CLONE_NEWEST = 0x2;
export const MIGRATE_ALL = 0x1;
export const MIGRATE_ENTRY = 0x2;
export const MIGRATE_COOPERATIVE = 0x4;
export const GUARD_CHANGED = 0;
export const GUARD_BODY = 1;
export const MAX_GUARDS = 4096;
export const STATE_SEALED = 0x1;
export const STATE_COMPLETE = 0x2;
export const STATE_FOLDED = 0x4;
export const STATE_SUPERSEDED = 0x8;

export const MAP = defineStruct('mmview_map', [
  ['near_start', 8],
  ['near_end', 8],
  ['code_size', 8],
  ['data_size', 8],
  ['code_addr', 8],
  ['data_addr', 8],
]);

export const RANGE = defineStruct('mmview_range', [
  ['start', 8],
  ['end', 8],
  ['kind', 4],
  ['reserved', 4],
]);

export const GUARD = defineStruct('mmview_guard', [
  ['ranges', 8],
  ['nr', 4],
  ['reserved', 4],
]);

export const THREAD = defineStruct('mmview_thread', [
  ['tid', 4],
  ['migrated', 4],
  ['why', 4],
  ['guard', 4],
  ['where', 8],
  ['slot', 8],
  ['when', 8],
]);

export const STATE = defineStruct('mmview_state', [
  ['threads', 8],
  ['nr', 4],
  ['migrated', 4],
  ['flags', 4],
  ['overrides', 4],
  ['reserved', 8],
]);

/** MMVIEW_WHY_*, by number. */
export const WHY = [
  'none',
  'not-asked',
  'running',
  'pc',
  'stack',
  'signal-stack',
  'uprobe',
  'stack-unreadable',
  'traced',
  'safe-point',
] as const;
export type Why = (typeof WHY)[number];

const IOC_WRITE = 1;
const IOC_READ = 2;
const ioc = (direction: number, number: number, size: number) =>
  ((direction << 30) | (size << 16) | (0x56 << 8) | number) >>> 0;

export const IOC_MAP = ioc(IOC_READ | IOC_WRITE, 0xa0, MAP.size);
export const IOC_GUARD = ioc(IOC_WRITE, 0xa1, GUARD.size);
export const IOC_SEAL = ioc(0, 0xa2, 0);
export const IOC_STATE = ioc(IOC_READ | IOC_WRITE, 0xa3, STATE.size);
export const IOC_FOLD = ioc(0, 0xa4, 0);
