// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs a thread to migrate itself, and a CPU to go from one thread to
 * another: in the base, in one view, in two views, in two processes.
 *
 * The last of these loads another page-table root as well, and is what a
 * migration that switches is compared with: under an emulator that throws its
 * whole TLB away there, a comparison with getpid() alone would say little. A
 * switch is one half of a ping-pong over a futex, on one CPU: a wake-up, a wait
 * and the switch between them.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define CALLS	500
#define HOPS	4000

static char *code;
static int views[2];

static void make_views(void)
{
	code = code_map(CODE_FILE, 1);
	for (int i = 0; i < 2; i++) {
		views[i] = view_of(getpid());
		view_patch(views[i], code, NEW + i);
	}
}

enum self { GETPID, STAY, SWITCH };

/* A switch runs what differs between the two, so that nothing is put off. */
static double itself(int what, void *arg)
{
	(void)arg;
	if (!code)
		make_views();
	bench_pin(bench_last_cpu());
	CHECK_EQ(sys_mmview_migrate(views[0], 0, 0), 1);
	switch (what) {
	case GETPID:
		return NS_PER_CALL(CALLS, syscall(SYS_getpid));
	case STAY:
		return NS_PER_CALL(CALLS, CHECK(sys_mmview_migrate(views[0], 0, 0) == 1));
	default:
		return NS_PER_CALL(CALLS, {
			CHECK(sys_mmview_migrate(views[i_ & 1], 0, 0) == 1);
			CHECK(code_call(code) == NEW + (i_ & 1));
		});
	}
}

/* ------------------------------------------------------------------------
 * Ping-pong
 */

struct table {
	atomic_int turn;
	atomic_int ready;
};

struct player {
	struct table *table;
	int me;
	int view;			/* -1: the base */
};

/* Not private: one case has two processes, and all are to cost the same. */
static void play(const struct player *player, int hops)
{
	atomic_int *turn = &player->table->turn;

	for (int i = 0; i < hops; i++) {
		while (atomic_load(turn) != player->me)
			syscall(SYS_futex, turn, FUTEX_WAIT, !player->me, NULL, NULL, 0);
		atomic_store(turn, !player->me);
		syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
}

static int second(void *arg)
{
	const struct player *player = arg;

	bench_pin(bench_last_cpu());
	if (player->view >= 0)
		CHECK_EQ(sys_mmview_migrate(player->view, 0, 0), 1);
	atomic_store(&player->table->ready, 1);
	play(player, HOPS / 2 + HOPS / 10);
	return 0;
}

static void *second_thread(void *arg)
{
	second(arg);
	return NULL;
}

enum with { THREAD_IN_BASE, THREAD_IN_VIEW, THREAD_IN_OTHER_VIEW, PROCESS };

/* In a process of its own: there is no way back into the base. */
static double ping_pong(int with, void *arg)
{
	struct table *table = arg;
	struct player one = { table, 0, -1 }, two = { table, 1, -1 };
	pthread_t thread;
	long long begin;
	pid_t pid = 0;
	double ns;

	atomic_store(&table->turn, 0);
	atomic_store(&table->ready, 0);
	bench_pin(bench_last_cpu());
	if (with == THREAD_IN_VIEW || with == THREAD_IN_OTHER_VIEW) {
		make_views();
		one.view = views[0];
		two.view = views[with == THREAD_IN_OTHER_VIEW];
		CHECK_EQ(sys_mmview_migrate(one.view, 0, 0), 1);
	}
	if (with == PROCESS)
		pid = spawn(second, &two);
	else
		CHECK(!pthread_create(&thread, NULL, second_thread, &two));
	EVENTUALLY(atomic_load(&table->ready));
	play(&one, HOPS / 10);			/* warm */
	begin = now_ns();
	play(&one, HOPS / 2);
	ns = (double)(now_ns() - begin) / HOPS;
	if (pid)
		CHECK_EQ(reap(pid), 0);
	else
		pthread_join(thread, NULL);
	return ns;
}

static double ask_again(const struct bench_case *c)
{
	return bench_ask(c->on, c->n);
}

static double ask_new(const struct bench_case *c)
{
	struct bench_worker worker = bench_worker(ping_pong, c->on);
	double ns = bench_ask(&worker, c->n);

	bench_worker_end(&worker);
	return ns;
}

int main(int argc, char **argv)
{
	unsigned int runs = bench_runs(argc, argv);
	struct table *table = shared_alloc(sizeof(*table));
	struct bench_worker self = bench_worker(itself, NULL);
	const struct bench_case cases[] = {
		{ "getpid", "ns", NULL, ask_again, &self, GETPID },
		{ "migrate-self/stay", "ns", "getpid", ask_again, &self, STAY },
		{ "migrate-self/switch", "ns", "switch/processes", ask_again, &self, SWITCH },
		{ "switch/threads-in-base", "ns", NULL, ask_new, table, THREAD_IN_BASE },
		{ "switch/threads-in-one-view", "ns", "switch/threads-in-base", ask_new, table,
		  THREAD_IN_VIEW },
		{ "switch/threads-in-two-views", "ns", "switch/processes", ask_new, table,
		  THREAD_IN_OTHER_VIEW },
		{ "switch/processes", "ns", "switch/threads-in-base", ask_new, table, PROCESS },
	};

	BENCH_TURNS(cases, runs);
	bench_worker_end(&self);
	return 0;
}
