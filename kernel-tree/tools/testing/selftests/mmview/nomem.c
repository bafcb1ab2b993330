// SPDX-License-Identifier: GPL-2.0
/*
 * Memory runs out, at each place where the kernel asks for some: a clean
 * error, nothing changed, and the next try works.
 *
 *	nomem [-t SECONDS]	of failures at random (10)
 *
 * Each operation is run with /proc/thread-self/fail-nth = 1, 2, 3 and so on,
 * until it asks for less memory than that. Each try is a process of its own,
 * which compares what can be seen before and after. Wants a kernel with
 * CONFIG_FAULT_INJECTION, CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC, and root.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knobs.h"
#include "nomem.h"

#define MOST	2000		/* allocations in one operation */

static long seconds = 10;
static int fail_nth = -1;

static void arm(int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", n);

	CHECK_EQ(pwrite(fail_nth, text, length, 0), length);
}

/* How many were left to be counted: 0, it has happened. */
static int disarm(void)
{
	char text[16] = "";

	CHECK(pread(fail_nth, text, sizeof(text) - 1, 0) > 0);
	arm(0);
	return atoi(text);
}

enum { FAILED = 60, SUCCEEDED, SUCCEEDED_ANYWAY };

struct attempt {
	const struct op *op;
	int n;
};

static int attempt(void *arg)
{
	static struct sight before;
	const struct op *op = ((struct attempt *)arg)->op;
	int n = ((struct attempt *)arg)->n, left, err;
	long result;

	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	CHECK(fail_nth >= 0);
	op->prepare();
	look(&before);
	arm(n);			/* once for nothing: what these touch is there now */
	disarm();
	arm(n);
	errno = 0;
	result = op->run();
	err = errno;
	left = disarm();
	if (result >= 0) {
		op->succeeded(result);
		return left ? SUCCEEDED : SUCCEEDED_ANYWAY;
	}
	CHECK_MSG(!left, "%s fails by itself: errno %d", op->name, err);
	CHECK_MSG(err == ENOMEM || (op->err && err == op->err), "%s, allocation %d: errno %d",
		  op->name, n, err);
	expect_same(&before);
	if (op->failed)
		op->failed();
	result = op->run();
	CHECK_MSG(result >= 0, "%s, after allocation %d failed", op->name, n);
	op->succeeded(result);
	return FAILED;
}

/* Every allocation may fail that is allowed to; and no word of it in the log. */
static bool may_inject(void)
{
	return knob_set(SLAB "ignore-gfp-wait", "N") &&
	       knob_set(PAGE_ALLOC "ignore-gfp-wait", "N") &&
	       knob_set(PAGE_ALLOC "ignore-gfp-highmem", "N") &&
	       knob_set(PAGE_ALLOC "min-order", "0") &&
	       knob_set(SLAB "verbose", "0") && knob_set(PAGE_ALLOC "verbose", "0") &&
	       !access("/proc/self/fail-nth", R_OK | W_OK) &&
	       !access("/proc/self/make-it-fail", R_OK | W_OK);
}

static const struct op *op_named(const char *name)
{
	for (unsigned int i = 0; i < nr_ops; i++)
		if (!strcmp(ops[i].name, name))
			return &ops[i];
	return NULL;
}

static int one_by_one(void)
{
	const struct op *op = op_named(mmview_case_name);
	int result = FAILED, failed = 0, anyway = 0;

	if (!may_inject())
		return case_skip("no fault injection in this kernel, or not root");
	for (int n = 1; n < MOST && result != SUCCEEDED; n++) {
		struct attempt a = { op, n };

		result = reap(spawn(attempt, &a));
		failed += result == FAILED;
		anyway += result == SUCCEEDED_ANYWAY;
		CHECK_MSG(result >= FAILED && result <= SUCCEEDED_ANYWAY,
			  "%s, allocation %d: the process ended with %d", op->name, n, result);
	}
	CHECK_EQ(result, SUCCEEDED);
	printf("# %s: %d allocations failed, it worked without %d others\n", op->name,
	       failed, anyway);
	fflush(stdout);
	return 0;
}

static void inject_at_random(int percent)
{
	static const char *const both[] = { SLAB, PAGE_ALLOC };
	char path[128];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%stask-filter", both[i]);
		CHECK(knob_set(path, "Y"));
		snprintf(path, sizeof(path), "%sinterval", both[i]);
		CHECK(knob_set(path, "1"));
		snprintf(path, sizeof(path), "%stimes", both[i]);
		CHECK(knob_set(path, "-1"));
		snprintf(path, sizeof(path), "%sprobability", both[i]);
		CHECK(knob_set(path, "%d", percent));
	}
}

static int at_random(void)
{
	int result;

	if (!may_inject())
		return case_skip("no fault injection in this kernel, or not root");
	inject_at_random(3);
	result = reap(spawn(load_that_fails, &seconds));
	inject_at_random(0);
	return result;
}

static void keep_settings(void)
{
	static const char *const names[] = {
		SLAB "ignore-gfp-wait", SLAB "verbose", SLAB "task-filter", SLAB "interval",
		SLAB "times", SLAB "probability", PAGE_ALLOC "ignore-gfp-wait",
		PAGE_ALLOC "ignore-gfp-highmem", PAGE_ALLOC "min-order", PAGE_ALLOC "verbose",
		PAGE_ALLOC "task-filter", PAGE_ALLOC "interval", PAGE_ALLOC "times",
		PAGE_ALLOC "probability",
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		knob_keep(names[i]);
}

#define MOST_OPS	32

/*
 * Where a page that the C library has given to rseq(2) cannot be written, the
 * kernel ends the process with SIGSEGV, with views or without: do not use it.
 */
static void without_rseq(char **argv)
{
	static const char *const name = "GLIBC_TUNABLES", *const off = "glibc.pthread.rseq=0";

	if (getenv(name) && strstr(getenv(name), off))
		return;
	CHECK(!setenv(name, off, 1));
	execv("/proc/self/exe", argv);
	CHECK(false);
}

int main(int argc, char **argv)
{
	static struct mmview_case cases[MOST_OPS];
	unsigned int n;

	without_rseq(argv);
	if (argc == 3 && !strcmp(argv[1], "-t"))
		seconds = atol(argv[2]);
	CHECK(nr_ops < MOST_OPS);
	for (n = 0; n < nr_ops; n++)
		cases[n] = (struct mmview_case){ ops[n].name, one_by_one };
	cases[n++] = (struct mmview_case){ "at random, under load", at_random };
	views_alive();			/* mounts debugfs where that is missing */
	keep_settings();
	mmview_case_timeout_s = seconds + 300;
	mmview_main(cases, n);
}
