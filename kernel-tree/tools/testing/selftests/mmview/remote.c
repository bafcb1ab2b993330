// SPDX-License-Identifier: GPL-2.0
/*
 * Migrating the threads of another process: none of them waits, wakes or sees
 * an interrupted call, whether it spins or sleeps.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "remote.h"

static int start_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, fn, arg));
	return 0;
}

/* --- spinning ---------------------------------------------------------- */

static int spin(void *arg)
{
	struct target *t = arg;
	struct member *m = &t->member[0];

	target_enter(m);
	atomic_store(&m->inside, 1);
	target_call_until_stop(t, m);
	return 0;
}

static int spinning_thread(void)
{
	struct target *t = target_start(code_map(CODE_FILE, 1), spin, 0);
	struct member *m = &t->member[0];
	long calls;
	long long began, when;
	int now;

	target_wait_inside(t, 1);
	view_patch(t->view, t->code, NEW);
	EVENTUALLY(atomic_load(&m->last) == OLD);
	CHECK_EQ(view_thread(t->view, t->pid).why, MMVIEW_WHY_NOT_ASKED);
	began = now_ns() / 1000;
	now = sys_mmview_migrate(t->view, t->pid, 0);
	CHECK(now == 0 || now == 1);
	EVENTUALLY(view_thread(t->view, t->pid).migrated);
	CHECK_EQ(view_thread(t->view, t->pid).why, MMVIEW_WHY_NONE);
	when = (long long)view_thread(t->view, t->pid).when;
	CHECK(when >= began && when <= now_ns() / 1000);
	CHECK(view_state(t->view, NULL, 0).flags & MMVIEW_STATE_COMPLETE);
	calls = atomic_load(&m->calls);
	EVENTUALLY(atomic_load(&m->calls) > calls + 1);
	CHECK_EQ(atomic_load(&m->last), NEW);
	CHECK(task_view(t->pid, t->pid) != 0);
	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, 0), 1);
	target_end(t);
	return 0;
}

/* --- blocked ----------------------------------------------------------- */

enum {
	FUTEX_FOR_EVER, PIPE, POLL, EPOLL,
	TIMED = 4,		/* from here on with a time-out */
	NANOSLEEP = TIMED, FUTEX_TIMED, POLL_TIMED, EPOLL_TIMED, BLOCK_KINDS
};

#define TIMEOUT_MS	2500

static long block(struct target *t)
{
	static int futex_word;
	struct timespec time_out = { TIMEOUT_MS / 1000, TIMEOUT_MS % 1000 * 1000000 };
	struct pollfd ready = { .fd = t->pipe[0], .events = POLLIN };
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	char byte;

	CHECK(!epoll_ctl(epoll, EPOLL_CTL_ADD, t->pipe[0], &event));
	switch (t->kind) {
	case FUTEX_FOR_EVER:
		return syscall(SYS_futex, &t->release, FUTEX_WAIT, 0, NULL, NULL, 0);
	case PIPE:
		return read(t->pipe[0], &byte, 1);
	case POLL:
		return poll(&ready, 1, -1);
	case EPOLL:
		return epoll_wait(epoll, &event, 1, -1);
	case NANOSLEEP:
		return syscall(SYS_nanosleep, &time_out, &time_out);
	case FUTEX_TIMED:
		return syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, &time_out, NULL, 0);
	case POLL_TIMED:
		return poll(&(struct pollfd){ .fd = -1 }, 1, TIMEOUT_MS);
	case EPOLL_TIMED:
		return epoll_wait(epoll, &event, 1, TIMEOUT_MS);
	}
	return -2;
}

static int block_once(void *arg)
{
	struct target *t = arg;
	struct member *m = &t->member[0];
	long long begin;
	long result;

	target_enter(m);
	atomic_store(&m->last, code_call(t->code));
	begin = now_ns();
	atomic_store(&m->inside, 1);
	result = block(t);
	atomic_store(&m->error, result < 0 ? errno : 0);
	atomic_store(&m->elapsed_ms, (now_ns() - begin) / 1000000);
	atomic_store(&m->result, result);
	atomic_store(&m->last, code_call(t->code));
	atomic_store(&m->left, 1);
	while (!atomic_load(&t->stop))
		sleep_ms(1);
	return 0;
}

static void migrate_while_blocked(int kind)
{
	static const long expected[BLOCK_KINDS] = { 0, 1, 1, 1, 0, -1, 0, 0 };
	struct target *t = target_start(code_map(CODE_FILE, 1), block_once, kind);
	struct member *m = &t->member[0];
	long switches;

	view_patch(t->view, t->code, NEW);
	target_wait_inside(t, 1);
	EVENTUALLY(target_blocked(t, m));
	sleep_ms(20);		/* asleep is said before the CPU is left */
	CHECK_EQ(atomic_load(&m->last), OLD);
	switches = target_switches(t, m);
	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, 0), 1);
	CHECK(task_view(t->pid, t->pid) != 0);
	CHECK(view_thread(t->view, t->pid).migrated);
	CHECK(target_blocked(t, m) || kind >= TIMED);
	CHECK_MSG(target_switches(t, m) == switches || atomic_load(&m->left),
		  "kind %d: the thread was woken", kind);
	sleep_ms(50);
	CHECK(kind >= TIMED || !atomic_load(&m->left));
	if (kind == FUTEX_FOR_EVER) {
		atomic_store(&t->release, 1);
		CHECK_EQ(syscall(SYS_futex, &t->release, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	} else if (kind < TIMED) {
		CHECK_EQ(write(t->pipe[1], "x", 1), 1);
	}
	EVENTUALLY(atomic_load(&m->left));
	CHECK_MSG(atomic_load(&m->result) == expected[kind], "kind %d: result %ld", kind,
		  atomic_load(&m->result));
	CHECK_EQ(atomic_load(&m->error), expected[kind] < 0 ? ETIMEDOUT : 0);
	if (kind >= TIMED)
		CHECK(atomic_load(&m->elapsed_ms) >= TIMEOUT_MS - 1);
	CHECK_EQ(atomic_load(&m->last), NEW);
	target_end(t);
}

static int blocked_threads(void)
{
	for (int kind = 0; kind < TIMED; kind++)
		migrate_while_blocked(kind);
	return 0;
}

static int blocked_with_a_timeout(void)
{
	for (int kind = TIMED; kind < BLOCK_KINDS; kind++)
		migrate_while_blocked(kind);
	return 0;
}

/* --- all of them ------------------------------------------------------- */

static struct target *whole;	/* in the target: what its threads work for */

static void *newborn(void *arg)
{
	struct member *m = arg;

	target_enter(m);
	atomic_store(&m->inside, 1);
	target_call_until_stop(whole, m);
	return NULL;
}

static void *blocked_in_pipe(void *arg)
{
	struct member *m = arg;
	char byte;

	target_enter(m);
	atomic_store(&m->inside, 1);
	atomic_store(&m->result, read(whole->pipe[0], &byte, 1));
	target_call_until_stop(whole, m);
	return NULL;
}

/* Half of the threads spin, as the leader does; the others sleep. */
static int crowd(void *arg)
{
	struct target *t = whole = arg;

	for (int i = 1; i < t->kind; i++)
		start_thread(i % 2 ? newborn : blocked_in_pipe, &t->member[i]);
	target_enter(&t->member[0]);
	atomic_store(&t->member[0].inside, 1);
	target_call_until_stop(t, &t->member[0]);
	/* The blocked ones have long been let go; exit_group takes the rest. */
	return 0;
}

static int migrate_all(void)
{
	const int nr = 9;
	struct target *t = target_start(code_map(CODE_FILE, 1), crowd, nr);
	struct pollfd complete = { .fd = t->view, .events = POLLIN };
	struct mmview_thread threads[MAX_THREADS];
	struct mmview_state state;

	target_wait_inside(t, nr);
	for (int i = 2; i < nr; i += 2)
		EVENTUALLY(target_blocked(t, &t->member[i]));
	view_patch(t->view, t->code, NEW);
	CHECK_EQ(poll(&complete, 1, 0), 0);
	CHECK_EQ(view_state(t->view, NULL, 0).nr, nr);
	CHECK(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL) >= 0);
	CHECK_EQ(poll(&complete, 1, SOON * 1000), 1);
	CHECK(complete.revents & POLLIN);
	state = view_state(t->view, threads, MAX_THREADS);
	CHECK_EQ(state.nr, nr);
	CHECK_EQ(state.migrated, nr);
	CHECK_EQ(state.flags, MMVIEW_STATE_SEALED | MMVIEW_STATE_COMPLETE);
	for (int i = 0; i < nr; i++) {
		CHECK(threads[i].migrated && threads[i].why == MMVIEW_WHY_NONE);
		CHECK(task_view(t->pid, atomic_load(&t->member[i].tid)) != 0);
	}
	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL), 1);
	CHECK_EQ(write(t->pipe[1], "xxxxxxxx", 8), 8);
	for (int i = 0; i < nr; i++) {
		long calls = atomic_load(&t->member[i].calls);

		EVENTUALLY(atomic_load(&t->member[i].calls) > calls + 1);
		CHECK_EQ(atomic_load(&t->member[i].last), NEW);
	}
	target_end(t);
	return 0;
}

/* A look that is told "complete" finds every thread in the view. */
static int complete_means_all(void)
{
	struct mmview_thread threads[MAX_THREADS];
	struct mmview_state state;

	for (int round = 0; round < 12; round++) {
		struct target *t = target_start(code_map(CODE_FILE, 1), crowd, 9);

		target_wait_inside(t, 9);
		view_patch(t->view, t->code, NEW);
		CHECK(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL) >= 0);
		do
			state = view_state(t->view, threads, MAX_THREADS);
		while (!(state.flags & MMVIEW_STATE_COMPLETE));
		CHECK_EQ(state.migrated, state.nr);
		CHECK_EQ(write(t->pipe[1], "xxxxxxxx", 8), 8);
		target_end(t);
	}
	return 0;
}

/* STATE with too little room fills what there is and tells the number. */
static int state_with_little_room(void)
{
	struct target *t = target_start(code_map(CODE_FILE, 1), crowd, 5);
	struct mmview_thread threads[4];
	struct mmview_state state;

	target_wait_inside(t, 5);
	for (int i = 0; i < 4; i++)
		threads[i] = (struct mmview_thread){ .tid = 0xdead };
	state = view_state(t->view, threads, 2);
	CHECK_EQ(state.nr, 5);
	CHECK(threads[0].tid != 0xdead && threads[1].tid != 0xdead);
	CHECK(threads[2].tid == 0xdead && threads[3].tid == 0xdead);
	CHECK_EQ(threads[0].why, MMVIEW_WHY_NOT_ASKED);
	CHECK_EQ(write(t->pipe[1], "xxxxxxxx", 8), 8);
	target_end(t);
	return 0;
}

/* --- completion by exit ------------------------------------------------- */

static void *leaves_when_released(void *arg)
{
	target_enter(arg);
	atomic_store(&((struct member *)arg)->inside, 1);
	while (!atomic_load(&whole->release))
		sleep_ms(1);
	return NULL;
}

static int two_of_them(void *arg)
{
	struct target *t = whole = arg;

	start_thread(leaves_when_released, &t->member[1]);
	return spin(t);
}

static int last_base_thread_exits(void)
{
	struct target *t = target_start(code_map(CODE_FILE, 1), two_of_them, 0);
	struct pollfd complete = { .fd = t->view, .events = POLLIN };

	target_wait_inside(t, 2);
	view_patch(t->view, t->code, NEW);
	CHECK(sys_mmview_migrate(t->view, t->pid, 0) >= 0);
	EVENTUALLY(view_thread(t->view, t->pid).migrated);
	CHECK_EQ(poll(&complete, 1, 100), 0);
	CHECK(!(view_state(t->view, NULL, 0).flags & MMVIEW_STATE_COMPLETE));
	atomic_store(&t->release, 1);
	CHECK_EQ(poll(&complete, 1, SOON * 1000), 1);
	CHECK(view_state(t->view, NULL, 0).flags & MMVIEW_STATE_COMPLETE);
	target_end(t);
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "a spinning thread", spinning_thread },
		{ "threads blocked in futex, pipe, poll and epoll", blocked_threads },
		{ "threads that sleep with a time-out", blocked_with_a_timeout },
		{ "all threads of a process", migrate_all },
		{ "complete means all", complete_means_all },
		{ "STATE with little room", state_with_little_room },
		{ "complete when the last thread in the base exits", last_base_thread_exits },
	};

	MMVIEW_MAIN(cases);
}
