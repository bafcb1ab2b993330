/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A target with one thread that notices when it does not get on: the probe
 * does the same small thing over and over, reads the CPU's clock each time,
 * and keeps the longest gap between two readings for each window of time.
 *
 * Invariant: the tester opens and closes windows through memory that both
 * have; nothing that it does for that wakes, signals or stops the probe. A gap
 * that reaches over a window's end still counts in that window.
 */
#ifndef MMVIEW_BENCH_DELAY_H
#define MMVIEW_BENCH_DELAY_H

#include "bench.h"

/* What the probe does between two readings, besides a call of patched text. */
enum probe { PROBE_CLOCK, PROBE_SYSCALL, PROBE_FAULT, PROBE_MMAP, PROBES };

struct delay_target {
	enum probe probe;
	unsigned int threads;		/* more of them, blocked */
	unsigned int mappings;		/* more of them */

	pid_t pid;
	char *code;			/* patched text */
	char *pages;			/* in the same 2 MiB, for faults */
	double ticks_per_us;
	atomic_uint window;		/* tester: this one is open now */
	atomic_uint seen;		/* probe: I have noticed */
	atomic_ulong longest;		/* ticks, in the window before @seen */
	atomic_int runs;		/* what the patched text last returned */
	atomic_uint settled;		/* threads that are blocked, or probe */
	atomic_int never;
};

struct delay_target *delay_target_start(enum probe probe, unsigned int threads,
					unsigned int mappings);
void delay_target_end(struct delay_target *t);

/* Opens the next window; gives the longest gap, in us, of the one that it closes. */
double delay_next_window(struct delay_target *t);

#endif
