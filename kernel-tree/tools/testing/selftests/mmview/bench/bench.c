// SPDX-License-Identifier: GPL-2.0
/*
 * Shared helpers of the programs that measure; bench.h tells the idea.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

unsigned int bench_runs(int argc, char **argv)
{
	char *end;
	long runs = argc == 2 ? strtol(argv[1], &end, 10) : 0;

	if (runs < 1 || *end) {
		fprintf(stderr, "usage: %s RUNS, a number above 0\n", argv[0]);
		exit(2);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	return runs;
}

void bench_turns(const struct bench_case *cases, unsigned int nr, unsigned int runs)
{
	double *values = calloc((size_t)nr * runs, sizeof(*values));

	CHECK(values);
	for (unsigned int run = 0; run < runs; run++) {
		for (unsigned int turn = 0; turn < nr; turn++) {
			unsigned int i = run % 2 ? nr - 1 - turn : turn;

			values[i * runs + run] = cases[i].measure(&cases[i]);
		}
	}
	for (unsigned int i = 0; i < nr; i++)
		bench_result(cases[i].name, cases[i].unit, values + i * runs, runs,
			     cases[i].against);
	free(values);
}

void bench_result(const char *name, const char *unit, const double *values, unsigned int nr,
		  const char *against)
{
	printf("result: %s %s", name, unit);
	for (unsigned int i = 0; i < nr; i++)
		printf(" %.6g", values[i]);
	if (against)
		printf(" against %s", against);
	printf("\n");
}

double bench_best(const double *values, unsigned int nr)
{
	double best = values[0];

	for (unsigned int i = 1; i < nr; i++)
		best = values[i] < best ? values[i] : best;
	return best;
}

struct serving {
	double (*serve)(int what, void *arg);
	void *arg;
	int ask[2], answer[2];
};

static int serve_until_eof(void *arg)
{
	struct serving *serving = arg;
	double value;
	int what;

	close(serving->ask[1]);
	close(serving->answer[0]);
	while (read(serving->ask[0], &what, sizeof(what)) == sizeof(what)) {
		value = serving->serve(what, serving->arg);
		CHECK_EQ(write(serving->answer[1], &value, sizeof(value)), sizeof(value));
	}
	return 0;
}

struct bench_worker bench_worker(double (*serve)(int what, void *arg), void *arg)
{
	struct serving serving = { .serve = serve, .arg = arg };
	struct bench_worker worker;

	CHECK(!pipe(serving.ask) && !pipe(serving.answer));
	worker.pid = spawn(serve_until_eof, &serving);
	close(serving.ask[0]);
	close(serving.answer[1]);
	worker.ask = serving.ask[1];
	worker.answer = serving.answer[0];
	return worker;
}

double bench_ask(const struct bench_worker *worker, int what)
{
	double value;

	CHECK_EQ(write(worker->ask, &what, sizeof(what)), sizeof(what));
	CHECK_EQ(read(worker->answer, &value, sizeof(value)), sizeof(value));
	return value;
}

/* Later workers have inherited our end of its pipe: do not wait for its eof. */
void bench_worker_end(struct bench_worker *worker)
{
	close(worker->ask);
	close(worker->answer);
	kill(worker->pid, SIGKILL);
	reap(worker->pid);
}

void bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
}

int bench_last_cpu(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) - 1;
}

void bench_views_gone(void)
{
	long long end = now_ns() + 300000000000LL;

	CHECK_MSG(views_alive() >= 0, "debugfs does not tell: not root, or not CONFIG_MMVIEW");
	while (views_alive()) {
		CHECK_MSG(now_ns() < end, "views are left");
		sleep_ms(1);
	}
}

char *bench_touched(size_t size)
{
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	madvise(at, size, MADV_NOHUGEPAGE);
	for (size_t done = 0; done < size; done += PAGE)
		at[done] = 1;
	return at;
}

/* Pages that are writable and not, in turns: neighbours cannot merge. */
char *bench_mappings(unsigned int nr)
{
	char *at = mmap(NULL, nr * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	for (unsigned int i = 0; i < nr; i += 2)
		CHECK(!mprotect(at + i * PAGE, PAGE, PROT_READ | PROT_WRITE));
	return at;
}

void bench_unmap_mappings(char *at, unsigned int nr)
{
	CHECK(!munmap(at, nr * PAGE));
}
