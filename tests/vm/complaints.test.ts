// SPDX-License-Identifier: MIT
// What counts as a complaint of the kernel, and what does not.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findComplaints, taintedBy } from '../../vm/complaints.js';

const complaints = [
  'WARNING: CPU: 1 PID: 77 at mm/memory.c:412 zap_pte_range+0x1/0x2',
  'WARNING: possible circular locking dependency detected',
  'BUG: sleeping function called from invalid context at mm/mmap.c:1',
  'kernel BUG at mm/rmap.c:1234!',
  'BUG: KASAN: use-after-free in f+0x1/0x2',
  'Oops: general protection fault, probably for non-canonical address 0x6b6b6b6b: 0000 [#1] SMP',
  'rcu: INFO: rcu_preempt self-detected stall on CPU',
  'INFO: task memcached:88 blocked for more than 120 seconds.',
  'watchdog: BUG: soft lockup - CPU#0 stuck for 26s!',
  'BUG: Bad page state in process sh  pfn:00001',
  'BUG: Bad rss-counter state mm:00000000 type:MM_ANONPAGES val:1',
  'list_del corruption. prev->next should be ffff, but was 0000',
  'Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100',
];
for (const line of complaints)
  test(`complaint: ${line}`, () => {
    assert.equal(findComplaints(`[    1.000000] ${line}\n`), [`[    1.000000] ${line}`]);
  });

const harmless = [
  '[    2.000000] traps: a.out[77] general protection fault ip:401136 sp:7ffd error:0 in a.out[401000+1000]',
  '[    2.000000] a.out[78]: segfault at 0 ip 0000000000401136 sp 00007ffd error 4 in a.out',
  '[    2.000000] Out of memory: Killed process 77 (hog) total-vm:1kB',
  '[    2.000000] rcu: Hierarchical RCU implementation.',
  'WARNING: a line that a program wrote to the console',
  '[    2.000000] clocksource: tsc: mask: 0xffffffffffffffff',
];
test('what a user process did, or wrote, is no complaint', () => {
  assert.equal(findComplaints(harmless.join('\n')), []);
});

test('the lines that follow a complaint come with it, each once', () => {
  const lines = ['WARNING: one', 'Modules linked in:', 'WARNING: two', 'Call Trace:', 'later', 'much later'];
  const text = lines.map((line, at) => `[    ${at}.000000] ${line}`).join('\r\n');
  assert.is(findComplaints(text, 2).length, 5);
});

test('the taint mask names faults alone', () => {
  assert.equal(taintedBy(0), []);
  assert.equal(taintedBy(1 << 9), ['warning']);
  assert.equal(taintedBy((1 << 7) | (1 << 12) | (1 << 0)), ['oops']);
});

test.run();
