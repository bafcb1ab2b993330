// SPDX-License-Identifier: GPL-2.0
/*
 * mmview_clone copies no page tables: it costs the same whatever is resident.
 *
 * Each round takes the median of many clones at 1 MiB and then at 512 MiB of
 * touched memory; the best of several rounds counts, for a machine that is
 * emulated or busy. fork and exit at the same sizes stand beside it.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mmview_util.h"

#define ROUNDS	5
#define CLONES	101
#define FORKS	3
#define SMALL	1UL
#define LARGE	512UL
#define LIMIT	2.0

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

static double median_us(long long *ns, int nr)
{
	qsort(ns, nr, sizeof(*ns), compare);
	return ns[nr / 2] / 1000.0;
}

static double clone_us(int self)
{
	long long ns[CLONES];

	for (int i = 0; i < CLONES; i++) {
		long long begin = now_ns();
		int view = sys_mmview_clone(self, 0);

		ns[i] = now_ns() - begin;
		CHECK(view >= 0 && !close(view));
	}
	return median_us(ns, CLONES);
}

static double fork_us(void)
{
	long long ns[FORKS];

	for (int i = 0; i < FORKS; i++) {
		long long begin = now_ns();
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (!pid)
			_exit(0);
		CHECK_EQ(reap(pid), 0);
		ns[i] = now_ns() - begin;
	}
	return median_us(ns, FORKS);
}

/* Small pages only, or 512 MiB would be 256 entries. */
static char *touch(unsigned long mib)
{
	char *memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	CHECK(memory != MAP_FAILED);
	madvise(memory, mib << 20, MADV_NOHUGEPAGE);
	for (unsigned long at = 0; at < mib << 20; at += PAGE)
		memory[at] = 1;
	return memory;
}

struct cost {
	double clone, fork;
};

static struct cost best_of_rounds(int self)
{
	struct cost best = { 1e12, fork_us() };

	clone_us(self);			/* warm */
	for (int round = 0; round < ROUNDS; round++) {
		double now = clone_us(self);

		best.clone = now < best.clone ? now : best.clone;
	}
	return best;
}

static int cost_does_not_depend_on_size(void)
{
	int self = sys_pidfd_open(getpid());
	struct cost small, large;
	char *memory;
	double ratio = 0;

	CHECK(self >= 0);
	/* A second look before a verdict: one slow spell is no page-table copy. */
	for (int attempt = 0; attempt < 3; attempt++) {
		memory = touch(SMALL);
		small = best_of_rounds(self);
		munmap(memory, SMALL << 20);
		memory = touch(LARGE);
		large = best_of_rounds(self);
		munmap(memory, LARGE << 20);
		ratio = large.clone / small.clone;
		printf("# %lu MiB: mmview_clone %.1f us, fork+exit %.1f us\n", SMALL, small.clone,
		       small.fork);
		printf("# %lu MiB: mmview_clone %.1f us, fork+exit %.1f us\n", LARGE, large.clone,
		       large.fork);
		printf("# ratio of mmview_clone: %.2f (limit %.1f); of fork+exit: %.1f\n", ratio,
		       LIMIT, large.fork / small.fork);
		fflush(stdout);
		if (ratio < LIMIT)
			return 0;
	}
	CHECK_MSG(ratio < LIMIT, "mmview_clone depends on the size: %.2f", ratio);
	return 0;
}

/* Nor on the number of mappings: nothing walks them. */
static int cost_does_not_depend_on_mappings(void)
{
	int self = sys_pidfd_open(getpid());
	double few = 0, many = 0;
	char *memory;

	CHECK(self >= 0);
	for (int attempt = 0; attempt < 3; attempt++) {
		few = best_of_rounds(self).clone;
		memory = mmap(NULL, 8000 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(memory != MAP_FAILED);
		for (int i = 0; i < 8000; i += 2)
			CHECK(!mprotect(memory + i * PAGE, PAGE, PROT_READ | PROT_WRITE));
		many = best_of_rounds(self).clone;
		munmap(memory, 8000 * PAGE);
		printf("# mmview_clone: %.1f us, with 8000 more mappings %.1f us, ratio %.2f\n",
		       few, many, many / few);
		fflush(stdout);
		if (many / few < LIMIT)
			return 0;
	}
	CHECK_MSG(many / few < LIMIT, "mmview_clone depends on the mappings: %.2f", many / few);
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "clone at 1 MiB and at 512 MiB resident", cost_does_not_depend_on_size },
		{ "clone with few and with many mappings", cost_does_not_depend_on_mappings },
	};

	mmview_case_timeout_s = 600;	/* it forks 512 MiB, maybe on a busy machine */
	MMVIEW_MAIN(cases);
}
