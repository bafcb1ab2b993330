// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that runs out at random, under a small load: threads that write to
 * their pages, migrate into view after view, and fork, while views are made
 * and overridden beside them. Calls may be refused; what they have written and
 * the text that they execute is what it has to be.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "knobs.h"
#include "nomem.h"

#define WORKERS	4
#define PAGES	16		/* of each worker's own */

static atomic_int stop, newest, generation;
static char *texts[2], *field;
static pthread_mutex_t view_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_long rounds[WORKERS], views, refused;

/* A call that has failed may have done so for want of memory only. */
static bool went_well(long result)
{
	if (result >= 0)
		return true;
	CHECK_MSG(errno == ENOMEM || errno == EAGAIN || errno == ENFILE, "errno %d", errno);
	atomic_fetch_add(&refused, 1);
	return false;
}

static int value_of(int nr)
{
	return nr ? 1000 + nr : OLD;
}

/* Each worker has every WORKERSth page, and knows what it wrote there last. */
static void use_pages(int me, long *last)
{
	for (int i = 0; i < PAGES; i++) {
		volatile long *at = (volatile long *)(field + (i * WORKERS + me) * PAGE);

		CHECK_EQ(*at, last[i]);
		*at = ++last[i];
		if (i % 5 == 4 && !madvise((void *)at, PAGE, MADV_DONTNEED))
			last[i] = 0;
	}
}

static int follow(int is_in)
{
	int to;

	pthread_mutex_lock(&view_lock);
	to = atomic_load(&generation);
	if (to && went_well(sys_mmview_migrate(atomic_load(&newest), 0, 0)))
		is_in = to;
	pthread_mutex_unlock(&view_lock);
	return is_in;
}

static void fork_one(int is_in)
{
	pid_t pid = fork();

	if (!pid)
		_exit(code_call(texts[0]) == value_of(is_in) ? 0 : 1);
	if (went_well(pid))
		CHECK_EQ(reap(pid), 0);
}

static void *work_on(void *arg)
{
	int me = (int)(intptr_t)arg, is_in = 0;
	long last[PAGES] = {};

	while (!atomic_load(&stop)) {
		use_pages(me, last);
		if (me % 2)
			is_in = follow(is_in);
		for (int i = 0; i < 2; i++)
			CHECK_EQ(code_call(texts[i]), value_of(is_in));
		if (me == WORKERS - 1)
			fork_one(is_in);
		atomic_fetch_add(&rounds[me], 1);
	}
	return NULL;
}

static void next_view(int self)
{
	unsigned char stub[STUB_SIZE];
	int nr = atomic_load(&generation) + 1, view, old;

	view = sys_mmview_clone(self, 0);
	if (!went_well(view))
		return;
	stub_write(stub, value_of(nr));
	for (int i = 0; i < 2; i++) {
		if (went_well(pwrite(view, stub, STUB_SIZE, (off_t)(uintptr_t)texts[i])))
			continue;
		CHECK(!close(view));
		return;
	}
	pthread_mutex_lock(&view_lock);
	old = atomic_exchange(&newest, view);
	atomic_store(&generation, nr);
	pthread_mutex_unlock(&view_lock);
	if (old >= 0)
		CHECK(!close(old));
	atomic_fetch_add(&views, 1);
}

int load_that_fails(void *arg)
{
	long long end;
	pthread_t threads[WORKERS];
	int self = sys_pidfd_open(getpid());

	texts[0] = code_map_at(zones_reserve(1) + 300 * PAGE, CODE_FILE, 1);
	texts[1] = code_map(CODE_ANON, 1);
	field = data_map_at(texts[0] - 300 * PAGE, PAGES * WORKERS);
	atomic_store(&newest, -1);
	/* Threads and children inherit it; the other processes keep their memory. */
	CHECK(knob_set("/proc/self/make-it-fail", "1"));
	for (long i = 0; i < WORKERS; i++)
		while (pthread_create(&threads[i], NULL, work_on, (void *)i))
			atomic_fetch_add(&refused, 1);
	for (end = now_ns() + *(long *)arg * 1000000000LL; now_ns() < end;) {
		next_view(self);
		CHECK_EQ(code_call(texts[0]), OLD);
		sleep_ms(2);
	}
	CHECK(knob_set("/proc/self/make-it-fail", "0"));
	atomic_store(&stop, 1);
	for (int i = 0; i < WORKERS; i++)
		CHECK(!pthread_join(threads[i], NULL));
	next_view(self);
	CHECK_EQ(sys_mmview_migrate(atomic_load(&newest), 0, 0), 1);
	CHECK_EQ(code_call(texts[0]), value_of(atomic_load(&generation)));
	printf("# at random: %ld views, %ld calls refused\n", atomic_load(&views),
	       atomic_load(&refused));
	fflush(stdout);
	CHECK(atomic_load(&refused) > 0 && atomic_load(&views) > 1);
	return 0;
}
