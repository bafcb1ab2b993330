// SPDX-License-Identifier: GPL-2.0
/*
 * MMVIEW_MIGRATE_COOPERATIVE: the kernel moves nobody; each thread moves itself
 * where it knows that it is safe.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mmview_kselftest.h"
#include "mmview_util.h"

/* Long enough for the kernel to have looked at everybody several times. */
#define A_WHILE_MS	500

static char *code;

/* What a program does at a safe point. -1: nothing is under way. */
static int safe_point(void)
{
	int self = sys_pidfd_open(getpid());
	int view, ret = -1;

	CHECK(self >= 0);
	view = sys_mmview_clone(self, MMVIEW_CLONE_ATTACH);
	if (view >= 0) {
		ret = sys_mmview_migrate(view, 0, 0);
		CHECK(!close(view));
	} else {
		CHECK_EQ(errno, ENOENT);
	}
	CHECK(!close(self));
	return ret;
}

enum habit { SPINS, SLEEPS, CALLS };

struct worker {
	pthread_t thread;
	enum habit habit;
	atomic_int tid;
	atomic_int pass;	/* come to a safe point */
	atomic_int passed;
	atomic_int value;	/* what @code returns to it */
	atomic_int stop;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	atomic_store(&w->tid, sys_gettid());
	while (!atomic_load(&w->stop)) {
		if (w->habit == SLEEPS)
			sleep_ms(50);
		if (w->habit == CALLS)
			sys_gettid();
		if (atomic_exchange(&w->pass, 0)) {
			safe_point();
			atomic_store(&w->passed, 1);
		}
		atomic_store(&w->value, code_call(code));
	}
	return NULL;
}

static void start(struct worker *w, enum habit habit)
{
	memset(w, 0, sizeof(*w));
	w->habit = habit;
	CHECK(!pthread_create(&w->thread, NULL, work, w));
	EVENTUALLY(atomic_load(&w->tid) && atomic_load(&w->value) == OLD);
}

static void pass(struct worker *w)
{
	atomic_store(&w->pass, 1);
	EVENTUALLY(atomic_load(&w->passed));
	EVENTUALLY(atomic_load(&w->value) == NEW);
}

static void stop(struct worker *w)
{
	atomic_store(&w->stop, 1);
	CHECK(!pthread_join(w->thread, NULL));
}

static int begin(unsigned int flags)
{
	int view;

	code = code_map(CODE_FILE, 1);
	view = view_of(getpid());
	view_patch(view, code, NEW);
	CHECK_EQ(sys_mmview_migrate(view, getpid(), MMVIEW_MIGRATE_ALL | flags), 0);
	return view;
}

static bool readable(int view)
{
	struct pollfd poller = { .fd = view, .events = POLLIN };

	return poll(&poller, 1, 0) == 1 && (poller.revents & POLLIN);
}

static void check_waits(int view, struct worker *w)
{
	struct mmview_thread thread = view_thread(view, atomic_load(&w->tid));

	CHECK_EQ(thread.migrated, 0);
	CHECK_EQ(thread.why, MMVIEW_WHY_SAFE_POINT);
	CHECK_EQ(atomic_load(&w->value), OLD);
}

static int each_moves_itself(void)
{
	struct worker w[3];
	int view;

	code = code_map(CODE_FILE, 1);
	for (int i = 0; i < 3; i++)
		start(&w[i], (enum habit)i);
	view = view_of(getpid());
	view_patch(view, code, NEW);
	CHECK_EQ(sys_mmview_migrate(view, getpid(),
				    MMVIEW_MIGRATE_ALL | MMVIEW_MIGRATE_COOPERATIVE), 0);
	sleep_ms(A_WHILE_MS);
	CHECK_EQ(view_state(view, NULL, 0).migrated, 0);
	for (int i = 0; i < 3; i++)
		check_waits(view, &w[i]);
	for (int i = 0; i < 3; i++) {
		pass(&w[i]);
		CHECK_EQ(view_state(view, NULL, 0).migrated, i + 1);
	}
	CHECK(!readable(view));
	CHECK_EQ(safe_point(), 1);
	EVENTUALLY(readable(view));
	CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
	CHECK_EQ(safe_point(), -1);
	CHECK_EQ(code_call(code), NEW);
	for (int i = 0; i < 3; i++)
		stop(&w[i]);
	return KSFT_PASS;
}

static int a_newborn_thread_too(void)
{
	int view = begin(MMVIEW_MIGRATE_COOPERATIVE);
	struct worker w;

	start(&w, CALLS);
	sleep_ms(A_WHILE_MS);
	check_waits(view, &w);
	CHECK_EQ(safe_point(), 1);
	CHECK(!readable(view));
	pass(&w);
	EVENTUALLY(readable(view));
	stop(&w);
	return KSFT_PASS;
}

static int born_in_the_view(void)
{
	int view = begin(MMVIEW_MIGRATE_COOPERATIVE);
	struct worker w = { .habit = CALLS };

	CHECK_EQ(safe_point(), 1);
	EVENTUALLY(readable(view));
	CHECK(!pthread_create(&w.thread, NULL, work, &w));
	EVENTUALLY(atomic_load(&w.value) == NEW);
	stop(&w);
	return KSFT_PASS;
}

static int the_last_call_decides(void)
{
	struct worker w;
	int view;

	code = code_map(CODE_FILE, 1);
	start(&w, CALLS);
	view = view_of(getpid());
	view_patch(view, code, NEW);
	CHECK_EQ(sys_mmview_migrate(view, getpid(),
				    MMVIEW_MIGRATE_ALL | MMVIEW_MIGRATE_COOPERATIVE), 0);
	sleep_ms(A_WHILE_MS);
	check_waits(view, &w);
	CHECK(sys_mmview_migrate(view, getpid(), MMVIEW_MIGRATE_ALL) >= 0);
	EVENTUALLY(readable(view));
	EVENTUALLY(atomic_load(&w.value) == NEW);
	stop(&w);
	return KSFT_PASS;
}

static int only_with_all(void)
{
	int view = view_of(getpid());

	CHECK_ERR(sys_mmview_migrate(view, 0, MMVIEW_MIGRATE_COOPERATIVE), EINVAL);
	CHECK_ERR(sys_mmview_migrate(view, getpid(), MMVIEW_MIGRATE_COOPERATIVE), EINVAL);
	return KSFT_PASS;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "each thread moves itself, and nobody else does", each_moves_itself },
		{ "a newborn thread has to come to a safe point too", a_newborn_thread_too },
		{ "a thread born in the view is there", born_in_the_view },
		{ "the last call for a view decides", the_last_call_decides },
		{ "the flag is for all threads only", only_with_all },
	};

	MMVIEW_MAIN(cases);
}
