// SPDX-License-Identifier: GPL-2.0
/*
 * Calls at random: the two system calls, the descriptor's operations and
 * everything around them, by several processes (fuzz_calls.c) on each other and
 * on targets that are busy with their own affairs (fuzz_target.c).
 *
 *	fuzz [-n STEPS of each caller] [-s SEED]
 *
 * What must hold: no call fails with an errno that the man pages do not have for
 * it; who may not attach to a process can do nothing with it; a target never
 * executes or reads what nobody wrote there, and ends only if it is killed. The
 * seed makes the calls the same, not the order in which processes make them.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define CALLERS		3

struct fuzz *fuzz;

unsigned long fuzz_random(unsigned long *state)
{
	unsigned long x = *state += 0x9e3779b97f4a7c15UL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9UL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebUL;
	return x ^ x >> 31;
}

static void set_up(void)
{
	void *code = code_map_at(NULL, CODE_ANON, 2 * ZONE / PAGE);

	fuzz = shared_alloc(sizeof(*fuzz));
	fuzz->seed = time(NULL);
	fuzz->steps = 250;
	fuzz->code[0] = code;
	fuzz->code[1] = fuzz->code[0] + PAGE;
	fuzz->code[2] = fuzz->code[0] + ZONE + 7 * PAGE;
	fuzz->code[3] = code_map(CODE_FILE, 1);
	fuzz->scratch = code_map(CODE_FILE, FUZZ_SCRATCH);
}

static pid_t replace(struct fuzz_target *t)
{
	atomic_store(&t->killed, 0);
	return spawn(fuzz_target_main, t);
}

/* Every thread of every target goes on. */
static void check_progress(void)
{
	for (int i = 0; i < FUZZ_TARGETS * FUZZ_THREADS; i++) {
		atomic_long *rounds = &fuzz->target[i / FUZZ_THREADS].rounds[i % FUZZ_THREADS];
		long before = atomic_load(rounds);

		EVENTUALLY(atomic_load(rounds) > before + 1);
	}
}

static int calls_at_random(void)
{
	pid_t target[FUZZ_TARGETS], pid;
	int left = CALLERS, status;

	for (int i = 0; i < FUZZ_TARGETS; i++)
		target[i] = replace(&fuzz->target[i]);
	for (int i = 0; i < CALLERS; i++)
		spawn(fuzz_caller_main, (void *)(intptr_t)i);
	while (left) {
		int who = 0;

		pid = wait(&status);
		CHECK(pid > 0);
		while (who < FUZZ_TARGETS && target[who] != pid)
			who++;
		if (who == FUZZ_TARGETS) {
			CHECK_MSG(!status, "a caller ended with %#x", status);
			left--;
			continue;
		}
		CHECK_MSG(status == SIGKILL && atomic_load(&fuzz->target[who].killed),
			  "target %d ended with %#x", pid, status);
		target[who] = replace(&fuzz->target[who]);
	}
	for (int i = 0; i < FUZZ_TARGETS; i++) {
		if (!atomic_load(&fuzz->target[i].killed))
			continue;
		CHECK_EQ(reap(target[i]), 256 + SIGKILL);
		target[i] = replace(&fuzz->target[i]);
	}
	check_progress();
	atomic_store(&fuzz->stop, 1);
	for (int i = 0; i < FUZZ_TARGETS; i++)
		CHECK_EQ(reap(target[i]), 0);
	fuzz_report();
	return 0;
}

int main(int argc, char **argv)
{
	static const struct mmview_case cases[] = {
		{ "calls at random on each other and on busy targets", calls_at_random },
	};
	int option;

	set_up();
	while ((option = getopt(argc, argv, "n:s:x")) != -1) {
		if (option == 'x')	/* what targets execute */
			return 0;
		if (option == 'n')
			fuzz->steps = atol(optarg);
		else if (option == 's')
			fuzz->seed = strtoul(optarg, NULL, 0);
		else
			optind = argc + 1;
	}
	if (optind != argc || fuzz->steps < 1) {
		fprintf(stderr, "usage: fuzz [-n STEPS of each caller] [-s SEED]\n");
		return 2;
	}
	printf("# seed %lu\n", fuzz->seed);
	mmview_case_timeout_s = 400 + (int)fuzz->steps;
	MMVIEW_MAIN(cases);
}
