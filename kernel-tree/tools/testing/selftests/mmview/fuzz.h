/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fuzzer's callers (fuzz_calls.c) and their targets (fuzz_target.c) share:
 * code at the same addresses in all of them, and who is who.
 *
 * Invariant: whatever a caller does to views, each page of fuzz->code returns a
 * value from 1 to FUZZ_VALUES to every thread at every time; a page of
 * fuzz->scratch may contain anything, and nobody executes it.
 */
#ifndef MMVIEW_FUZZ_H
#define MMVIEW_FUZZ_H

#include "mmview_util.h"

#define FUZZ_VALUES	50
#define FUZZ_CODES	4	/* pages of code, in two zones */
#define FUZZ_SCRATCH	4	/* pages of text that changes */
#define FUZZ_TARGETS	3
#define FUZZ_THREADS	3	/* of a target */
#define FUZZ_OPS	10	/* kinds of calls */

struct fuzz_target {
	atomic_int pid;		/* 0: not there at the moment */
	atomic_int tid[FUZZ_THREADS];
	atomic_long rounds[FUZZ_THREADS];
	atomic_int killed;	/* by a caller: that is no failure */
};

struct fuzz {
	unsigned long seed;
	long steps;		/* of each caller */
	char *code[FUZZ_CODES];
	char *scratch;
	atomic_int stop;	/* targets leave */
	struct fuzz_target target[FUZZ_TARGETS];
	atomic_long tried[FUZZ_OPS], done[FUZZ_OPS];
};

extern struct fuzz *fuzz;

unsigned long fuzz_random(unsigned long *state);
/* One of n, n > 0. */
#define PICK(state, n) ((unsigned int)(fuzz_random(state) % (n)))
#define ONE_OF(state, array) ((array)[PICK(state, sizeof(array) / sizeof((array)[0]))])

int fuzz_target_main(void *target);
int fuzz_caller_main(void *index);	/* index 0: may not attach to others */
void fuzz_report(void);

#endif
