// SPDX-License-Identifier: GPL-2.0
/*
 * What a new view costs, by how much memory the process has and how many
 * mappings, beside fork and exit of the same process.
 *
 * A process's first view has to make every CPU pass a barrier (see
 * mmviews_activate()); that is the figure's larger part, and on a busy
 * emulator it is the host that decides how soon another CPU answers. So the
 * second view of a process, while the first is alive, stands beside it.
 */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define CLONES	21
#define FORKS	3
#define MANY	50

enum what { FIRST, SECOND, CLONE_AND_FREE, FORK };

struct process {
	size_t resident;
	unsigned int mappings;
};

static double clone_us(int self, bool alone)
{
	int view, other = -1;
	double us[CLONES];
	long long begin;

	for (int i = 0; i < CLONES; i++) {
		bench_views_gone();
		if (!alone)
			other = sys_mmview_clone(self, 0);
		begin = now_ns();
		view = sys_mmview_clone(self, 0);
		us[i] = (now_ns() - begin) / 1e3;
		CHECK(view >= 0 && !close(view));
		CHECK(alone || !close(other));
	}
	return bench_best(us, CLONES);
}

/* Until its memory is given back, which a worker does. */
static double clone_and_free_us(int self)
{
	long long begin;
	int view;

	bench_views_gone();
	begin = now_ns();
	for (int i = 0; i < MANY; i++) {
		view = sys_mmview_clone(self, 0);
		CHECK(view >= 0 && !close(view));
	}
	bench_views_gone();
	return (now_ns() - begin) / 1e3 / MANY;
}

static double fork_us(void)
{
	double us[FORKS];

	for (int i = 0; i < FORKS; i++) {
		long long begin = now_ns();
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (!pid)
			_exit(0);
		CHECK_EQ(reap(pid), 0);
		us[i] = (now_ns() - begin) / 1e3;
	}
	return bench_best(us, FORKS);
}

static double serve(int what, void *arg)
{
	const struct process *process = arg;
	static int self = -1;

	if (self < 0) {
		self = sys_pidfd_open(getpid());
		CHECK(self >= 0);
		bench_touched(process->resident);
		if (process->mappings)
			bench_mappings(process->mappings);
		clone_us(self, true);		/* all code is there now */
	}
	switch (what) {
	case CLONE_AND_FREE:
		return clone_and_free_us(self);
	case FORK:
		return fork_us();
	default:
		return clone_us(self, what == FIRST);
	}
}

static double ask(const struct bench_case *c)
{
	return bench_ask(c->on, c->n);
}

int main(int argc, char **argv)
{
	static struct process small = { MIB, 0 }, middle = { 64 * MIB, 0 };
	static struct process large = { 1024 * MIB, 0 };
	static struct process ten = { MIB, 10 }, thousand = { MIB, 1000 }, most = { MIB, 30000 };
	unsigned int runs = bench_runs(argc, argv);
	struct bench_worker s = bench_worker(serve, &small);
	struct bench_worker m = bench_worker(serve, &middle);
	struct bench_worker l = bench_worker(serve, &large);
	struct bench_worker few = bench_worker(serve, &ten);
	struct bench_worker more = bench_worker(serve, &thousand);
	struct bench_worker many = bench_worker(serve, &most);
	const struct bench_case cases[] = {
		{ "clone/1MiB", "us", NULL, ask, &s, FIRST },
		{ "clone/64MiB", "us", "clone/1MiB", ask, &m, FIRST },
		{ "clone/1GiB", "us", "clone/1MiB", ask, &l, FIRST },
		{ "clone-second/1MiB", "us", "clone/1MiB", ask, &s, SECOND },
		{ "clone-second/1GiB", "us", "clone-second/1MiB", ask, &l, SECOND },
		{ "clone-and-free/1GiB", "us", "clone/1GiB", ask, &l, CLONE_AND_FREE },
		{ "fork/1MiB", "us", "clone/1MiB", ask, &s, FORK },
		{ "fork/64MiB", "us", "clone/64MiB", ask, &m, FORK },
		{ "fork/1GiB", "us", "clone/1GiB", ask, &l, FORK },
		{ "clone/10-mappings", "us", NULL, ask, &few, FIRST },
		{ "clone/1000-mappings", "us", "clone/10-mappings", ask, &more, FIRST },
		{ "clone/30000-mappings", "us", "clone/10-mappings", ask, &many, FIRST },
		{ "fork/30000-mappings", "us", "clone/30000-mappings", ask, &many, FORK },
	};

	BENCH_TURNS(cases, runs);
	bench_worker_end(&s);
	bench_worker_end(&m);
	bench_worker_end(&l);
	bench_worker_end(&few);
	bench_worker_end(&more);
	bench_worker_end(&many);
	return 0;
}
