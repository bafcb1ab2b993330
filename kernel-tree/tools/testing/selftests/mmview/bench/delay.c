// SPDX-License-Identifier: GPL-2.0
/*
 * The delay that a transition adds to a thread of the target: the longest time
 * that a thread which reads its clock in a loop (and calls patched text, and
 * does system calls, faults or maps memory) does not get on, in a window of
 * time with one step of a transition in it, and in the next one, as long,
 * without. In that the tester computes, so that a shared host is as busy.
 *
 * A run is many windows of each kind, and gives two figures. The least of their
 * longest gaps is what the step always does to the probe; where an emulator's
 * host takes the CPU away for milliseconds, only that tells of the kernel. The
 * greatest ("worst") has everything in it, the host's doing as well.
 *
 * The probe has a CPU for itself; who patches has another.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "delay.h"

#define SHORTEST_US	300		/* windows */
#define MANY		20		/* transitions in a run */
#define FEW		5		/* of a thousand threads */
#define TRIALS		5		/* to learn how long a window has to be */

enum step { CLONE, OVERRIDE, MIGRATE, FOLD, CLOSE, STEPS, NONE = STEPS, SETTLE };
static const char *const step_names[STEPS] = {
	"clone", "override", "migrate", "fold", "close" };
static const char *const probe_names[PROBES] = { "clock", "syscall", "fault", "mmap" };

static void guard_entry(int view, const char *code)
{
	struct mmview_range range = { (uintptr_t)code, (uintptr_t)code + 5,
				      MMVIEW_GUARD_CHANGED, 0 };
	struct mmview_guard guard = { (uintptr_t)&range, 1, 0 };

	CHECK(!ioctl(view, MMVIEW_IOC_GUARD, &guard));
}

/* Until the probe runs the new text; the others may take longer. */
static void migrate(int view, struct delay_target *t, int value)
{
	CHECK(sys_mmview_migrate(view, t->pid, MMVIEW_MIGRATE_ALL) >= 0);
	while (atomic_load(&t->runs) != value)
		;
}

static void wait_until_complete(int view)
{
	struct pollfd complete = { .fd = view, .events = POLLIN };

	CHECK_EQ(poll(&complete, 1, SOON * 1000), 1);
}

static void do_step(enum step step, struct delay_target *t, int pidfd)
{
	static int view, value = NEW;

	switch (step) {
	case CLONE:
		view = sys_mmview_clone(pidfd, 0);
		CHECK(view >= 0);
		break;
	case OVERRIDE:
		view_patch(view, t->code, ++value);
		guard_entry(view, t->code);
		break;
	case MIGRATE:
		migrate(view, t, value);
		break;
	case SETTLE:
		wait_until_complete(view);
		break;
	case FOLD:
		CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
		break;
	case CLOSE:
		close(view);
		break;
	default:
		break;
	}
}

/*
 * Longest gap of the probe, in us, in a window of the given length; longer if
 * the step is. What a step leaves to be done later is over when it ends.
 */
static double window_us(enum step step, struct delay_target *t, int pidfd, double *length_us)
{
	long long begin;
	double us;

	delay_next_window(t);
	begin = now_ns();
	do_step(step, t, pidfd);
	us = (now_ns() - begin) / 1e3;
	if (us > *length_us)
		*length_us = us;
	while (now_ns() - begin < *length_us * 1e3)
		;
	us = delay_next_window(t);
	if (step == MIGRATE)
		do_step(SETTLE, t, pidfd);
	if (step == CLOSE)
		bench_views_gone();
	return us;
}

/* Windows are as long as their step takes at its best, and a little longer. */
static void learn_lengths(struct delay_target *t, int pidfd, double lengths[STEPS])
{
	for (int i = 0; i < TRIALS; i++) {
		for (int step = 0; step < STEPS; step++) {
			double length = 0;

			window_us(step, t, pidfd, &length);
			length = length * 1.25 > SHORTEST_US ? length * 1.25 : SHORTEST_US;
			if (!i || length < lengths[step])
				lengths[step] = length;
		}
	}
}

/* Longest gaps of windows: the least of some, and the greatest. */
struct gaps {
	double least, most;
};

static void note(struct gaps *gaps, double us, bool first)
{
	if (first || us < gaps->least)
		gaps->least = us;
	if (first || us > gaps->most)
		gaps->most = us;
}

/* For each step, and for the windows without that follow each. */
struct run {
	struct gaps with[STEPS], without[STEPS];
};

static void transitions(struct delay_target *t, int pidfd, const double lengths[STEPS], int nr,
			struct run *run)
{
	for (int i = 0; i < nr; i++) {
		for (int step = 0; step < STEPS; step++) {
			double length = lengths[step];

			note(&run->with[step], window_us(step, t, pidfd, &length), !i);
			note(&run->without[step], window_us(NONE, t, pidfd, &length), !i);
		}
	}
}

/* All steps together: the greatest of what they have. */
static struct gaps all_steps(const struct gaps gaps[STEPS])
{
	struct gaps all = gaps[0];

	for (int step = 1; step < STEPS; step++) {
		if (gaps[step].least > all.least)
			all.least = gaps[step].least;
		if (gaps[step].most > all.most)
			all.most = gaps[step].most;
	}
	return all;
}

static void print(const char *where, enum probe probe, const char *what, const char *step,
		  const double *values, unsigned int runs)
{
	char name[64], none[64];

	snprintf(name, sizeof(name), "delay%s/%s%s/%s", where, probe_names[probe], what, step);
	snprintf(none, sizeof(none), "delay%s/%s%s/none", where, probe_names[probe], what);
	bench_result(name, "us", values, runs, strcmp(name, none) ? none : NULL);
}

static void measure(const char *where, enum probe probe, unsigned int threads,
		    unsigned int mappings, unsigned int runs)
{
	struct delay_target *t = delay_target_start(probe, threads, mappings);
	double steps[STEPS][runs], least[2][runs], most[2][runs], lengths[STEPS];
	int pidfd = sys_pidfd_open(t->pid);

	CHECK(pidfd >= 0);
	learn_lengths(t, pidfd, lengths);
	for (unsigned int i = 0; i < runs; i++) {
		struct gaps with, without;
		struct run run;

		transitions(t, pidfd, lengths, threads ? FEW : MANY, &run);
		for (int step = 0; step < STEPS; step++)
			steps[step][i] = run.with[step].least;
		printf("# delay%s/%s: worst by step", where, probe_names[probe]);
		for (int step = 0; step < STEPS; step++)
			printf(" %s %.0f", step_names[step], run.with[step].most);
		printf(" us\n");
		with = all_steps(run.with);
		without = all_steps(run.without);
		least[0][i] = with.least;
		least[1][i] = without.least;
		most[0][i] = with.most;
		most[1][i] = without.most;
	}
	close(pidfd);
	delay_target_end(t);
	printf("# delay%s/%s: windows of", where, probe_names[probe]);
	for (int step = 0; step < STEPS; step++)
		printf(" %.0f", lengths[step]);
	printf(" us\n");
	for (int step = 0; step < STEPS && !threads && !mappings; step++)
		print(where, probe, "", step_names[step], steps[step], runs);
	print(where, probe, "", "transition", least[0], runs);
	print(where, probe, "", "none", least[1], runs);
	print(where, probe, "-worst", "transition", most[0], runs);
	print(where, probe, "-worst", "none", most[1], runs);
}

int main(int argc, char **argv)
{
	unsigned int runs = bench_runs(argc, argv);

	bench_pin(bench_last_cpu());
	for (int probe = 0; probe < PROBES; probe++) {
		measure("", probe, 0, 0, runs);
		measure("-1000-threads", probe, 1000, 0, runs);
		measure("-30000-mappings", probe, 0, 30000, runs);
	}
	return 0;
}
