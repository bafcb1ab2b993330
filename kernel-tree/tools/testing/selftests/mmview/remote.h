/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A target: a forked process with threads that spin, block or stand inside a
 * function, each steered through a page that tester and target share.
 *
 * Invariant: the tester learns about the target's threads only from that page
 * and from /proc: nothing that it does wakes or signals them.
 */
#ifndef MMVIEW_REMOTE_H
#define MMVIEW_REMOTE_H

#include "mmview_util.h"

#define MAX_THREADS	64

struct member {			/* one thread of the target */
	atomic_int tid;
	atomic_int inside;	/* has begun to block, or is inside the function */
	atomic_int left;	/* has come out again */
	atomic_long result;	/* of what it blocked in */
	atomic_int error;
	atomic_long elapsed_ms;
	atomic_int returned;	/* what the guarded function returned */
	atomic_int last;	/* what the code page returned most recently */
	atomic_long calls;
};

struct target {
	pid_t pid;
	int view;
	char *code;		/* the patched page; same address in both processes */
	atomic_int release;	/* lets what is inside the function come out */
	atomic_int stop;
	atomic_int born;
	int pipe[2];
	int kind;
	struct member member[MAX_THREADS];
};

/* In the target: */
int target_enter(struct member *m);			/* fills in tid */
void target_call_until_stop(struct target *t, struct member *m);

/* In the tester: */
struct target *target_start(char *code, int (*fn)(void *), int kind);
void target_wait_inside(struct target *t, int nr);	/* the first nr are there and settled */
bool target_blocked(struct target *t, struct member *m);	/* state S in /proc */
long target_switches(struct target *t, struct member *m);	/* context switches so far */
void target_end(struct target *t);			/* stop, and expect exit status 0 */
void view_guard(int view, const void *start, size_t size, unsigned int kind);

#endif
