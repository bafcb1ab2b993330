/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all programs that measure share: cases that take turns, processes that
 * are measured on request, and the lines that come out.
 *
 * Invariant: what is compared is measured in the same run, one after the
 * other, each second run in reverse. Every sample is printed; nothing is
 * dropped and nothing averaged over runs.
 */
#ifndef MMVIEW_BENCH_H
#define MMVIEW_BENCH_H

#include "../mmview_util.h"

#define MIB		(1024UL * 1024)

/* One thing that is measured: one value in each run. */
struct bench_case {
	const char *name;
	const char *unit;
	const char *against;		/* the case that it is compared with, or NULL */
	double (*measure)(const struct bench_case *c);
	void *on;
	long n;
};

/* argv[1]: how many runs; a usage error ends the program with status 2. */
unsigned int bench_runs(int argc, char **argv);
void bench_turns(const struct bench_case *cases, unsigned int nr, unsigned int runs);
#define BENCH_TURNS(cases, runs) bench_turns(cases, sizeof(cases) / sizeof((cases)[0]), runs)
void bench_result(const char *name, const char *unit, const double *values, unsigned int nr,
		  const char *against);

/*
 * The best of some tries. What is measured is the kernel's own work, and the
 * machine is shared or emulated: whatever else happens only adds.
 */
double bench_best(const double *values, unsigned int nr);

/* Nanoseconds for one call, in the best of some batches. */
#define BENCH_BATCHES	31
#define NS_PER_CALL(calls, statement) ({				\
	const int calls_ = (calls);					\
	double ns_[BENCH_BATCHES];					\
									\
	for (int b_ = -1; b_ < BENCH_BATCHES; b_++) {			\
		long long begin_ = now_ns();				\
									\
		for (int i_ = 0; i_ < calls_; i_++)			\
			statement;					\
		if (b_ >= 0)	/* the first one warms up */		\
			ns_[b_] = (double)(now_ns() - begin_) / calls_;\
	}								\
	bench_best(ns_, BENCH_BATCHES);				\
})

/* A process that does and measures what it is asked to. */
struct bench_worker {
	pid_t pid;
	int ask, answer;		/* pipes */
};

struct bench_worker bench_worker(double (*serve)(int what, void *arg), void *arg);
double bench_ask(const struct bench_worker *worker, int what);
void bench_worker_end(struct bench_worker *worker);

static inline void bench_touch(char *at)
{
	*at = 1;
	__asm__ volatile("" : : : "memory");
}

void bench_pin(int cpu);		/* the calling thread */
int bench_last_cpu(void);
void bench_views_gone(void);		/* wait until no view is left at all */
char *bench_touched(size_t size);	/* resident, in small pages */
char *bench_mappings(unsigned int nr);	/* as many more mappings */
void bench_unmap_mappings(char *at, unsigned int nr);

#endif
