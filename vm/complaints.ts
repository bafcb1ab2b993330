// SPDX-License-Identifier: MIT
// What in a kernel log means that the kernel itself found a fault. The whole console is read, not the ring buffer: that one
// forgets old lines and a command can clear it. What a user process did wrong (a segfault, a `traps:` line, the
// out-of-memory killer) is that process's affair and no complaint.

const complaint = [
  /\bWARNING: /,
  /\bBUG: /,
  /\bkernel BUG at /,
  /\bKASAN: |\bKCSAN: |\bKFENCE: |\bUBSAN: /,
  /\bOops: |\bOops\b.*\[#\d+\]/,
  /\bgeneral protection fault, /,
  /\bUnable to handle kernel /i,
  /\bKernel panic - not syncing/,
  /\bINFO: possible /,
  /\bINFO: trying to register non-static key/,
  /\bINFO: task .* blocked for more than /,
  /\brcu: INFO: .*(stall|detected)/,
  /\bINFO: rcu_.* (stall|detected)/,
  /\bsoft lockup|\bhard LOCKUP/,
  /\bBad page (state|map)|\bBad rss-counter state/,
  /\b(list_add|list_del) corruption/,
  /\bODEBUG: /,
  /\bscheduling while atomic/,
  /\bsuspicious RCU usage/,
  /\bno locks held by .* exiting|held lock freed|bad unlock balance/,
];

const userFault = /\btraps: /;

/** A line the kernel printed carries its time in brackets; anything else on the console was written by a program. */
const kernelLine = /^\[\s*\d+\.\d+\]/;

/** The lines of a console that are complaints, each with the `after` lines that follow it, in order, none twice. */
export function findComplaints(consoleText: string, after = 12): string[] {
  const lines = consoleText.split(/\r?\n/).filter((line) => kernelLine.test(line));
  const found: string[] = [];
  let until = -1;
  lines.forEach((line, at) => {
    if (!userFault.test(line) && complaint.some((pattern) => pattern.test(line))) until = Math.max(until, at + after);
    if (at <= until) found.push(line);
  });
  return found;
}

/** Taint bits that a fault sets: bad page, oops, warning, soft lockup. (Others tell of modules and users' wishes.) */
const faultBits: [bit: number, meaning: string][] = [
  [5, 'bad page'],
  [7, 'oops'],
  [9, 'warning'],
  [14, 'soft lockup'],
];

/** The second witness: faults that the kernel remembers in its taint mask, even if their lines got lost. */
export function taintedBy(mask: number): string[] {
  return faultBits.filter(([bit]) => mask & (1 << bit)).map(([, meaning]) => meaning);
}
