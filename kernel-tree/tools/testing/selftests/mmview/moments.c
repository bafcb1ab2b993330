// SPDX-License-Identifier: GPL-2.0
/*
 * A thread that is blocked below a guarded function nearly all the time, and
 * outside for a moment without a system call, is seen there soon.
 *
 * How soon is counted in the thread's own rounds: a busy machine makes them
 * longer, not more.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "mmview_kselftest.h"
#include "remote.h"
#include "trace.h"

static const unsigned char call_bytes[] = {	/* void call(void (*fn)(void)) */
	0x48, 0x83, 0xec, 0x08,			/* sub $8, %rsp */
	0xff, 0xd7,				/* call *%rdi */
	0x48, 0x83, 0xc4, 0x08,			/* add $8, %rsp */
	0xc3,
};

typedef void (*call_fn)(void (*fn)(void));

#define CALL(t)		((t)->code + PAGE)

#define THREADS		16
#define INSIDE_MS	50
#define OUTSIDE_NS	300000
/* Looked at by others alone, half of the threads take longer than that. */
#define ROUNDS		15

static struct target *whole;

static void block(void)
{
	sleep_ms(INSIDE_MS);
}

/* No return address into the guard is left where later frames have gaps. */
__attribute__((noinline)) static void scrub(void)
{
	volatile char below[4096];

	for (size_t i = 0; i < sizeof(below); i++)
		below[i] = 0;
}

static void *in_and_out(void *arg)
{
	struct target *t = whole;
	struct member *m = arg;
	call_fn call = (call_fn)(uintptr_t)CALL(t);
	long long until;

	target_enter(m);
	while (!atomic_load(&t->stop)) {
		atomic_store(&m->inside, 1);
		call(block);
		scrub();
		atomic_store(&m->last, code_call(t->code));
		atomic_fetch_add(&m->calls, 1);
		until = now_ns() + OUTSIDE_NS;
		while (now_ns() < until)
			;
	}
	return NULL;
}

static int run_threads(void *arg)
{
	pthread_t thread[THREADS];

	whole = arg;
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&thread[i], NULL, in_and_out, &whole->member[i]));
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	return 0;
}

/* ------------------------------------------------------------------------
 * A thread that never leaves is not looked at all the time
 */

/* After the first of these rounds have time between them for more looks. */
#define EARLY_MS	2000
#define LATE_MS		2000
#define LOOKS_EACH	8

static void spin(void)
{
	while (!atomic_load(&whole->release))
		;
}

static int spin_in_the_guard(void *arg)
{
	struct target *t = whole = arg;
	struct member *m = &t->member[0];
	call_fn call = (call_fn)(uintptr_t)CALL(t);

	target_enter(m);
	atomic_store(&m->inside, 1);
	call(spin);
	target_call_until_stop(t, m);
	return 0;
}

static void read_looks(const struct trace *trace, long *looks, long *rounds)
{
	FILE *lines = trace_open(trace);
	char line[512];

	*looks = *rounds = 0;
	while (fgets(line, sizeof(line), lines)) {
		if (strstr(line, "function=look_again"))
			(*looks)++;
		if (strstr(line, "workqueue_execute_start") &&
		    strstr(line, "mmview_transition_work"))
			(*rounds)++;
	}
	CHECK(!fclose(lines));
}

static char *code_with_a_guard(void)
{
	char *code = code_map(CODE_ANON, 2);

	CHECK(!mprotect(code, 2 * PAGE, PROT_READ | PROT_WRITE));
	memcpy(code + PAGE, call_bytes, sizeof(call_bytes));
	CHECK(!mprotect(code, 2 * PAGE, PROT_READ | PROT_EXEC));
	return code;
}

static int outside_for_a_moment(void)
{
	struct target *t = target_start(code_with_a_guard(), run_threads, 0);
	long rounds, most = 0;

	target_wait_inside(t, THREADS);
	view_patch(t->view, t->code, NEW);
	view_guard(t->view, CALL(t) + 1, sizeof(call_bytes) - 1, MMVIEW_GUARD_BODY);
	for (int i = 0; i < THREADS; i++)
		atomic_store(&t->member[i].calls, 0);
	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL), 0);
	for (int i = 0; i < THREADS; i++) {
		/* It goes on counting after it has moved, for a few ms. */
		EVENTUALLY(atomic_load(&t->member[i].last) == NEW);
		rounds = atomic_load(&t->member[i].calls);
		most = rounds > most ? rounds : most;
	}
	target_end(t);
	ksft_print_msg("the last of %d threads moved within %ld rounds\n", THREADS, most);
	CHECK_MSG(most <= ROUNDS, "%ld rounds", most);
	return 0;
}

static int looks_are_few(void)
{
	struct target *t;
	struct trace trace;
	long looks, rounds;

	if (!trace_has("timer/hrtimer_expire_entry") ||
	    !trace_has("workqueue/workqueue_execute_start"))
		return case_skip("no trace of timers and work");
	t = target_start(code_with_a_guard(), spin_in_the_guard, 0);
	target_wait_inside(t, 1);
	view_patch(t->view, t->code, NEW);
	view_guard(t->view, CALL(t) + 1, sizeof(call_bytes) - 1, MMVIEW_GUARD_BODY);
	trace = trace_begin("4096");
	trace_set(&trace, "events/timer/hrtimer_expire_entry/enable", "1");
	trace_set(&trace, "events/workqueue/workqueue_execute_start/enable", "1");
	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL), 0);
	sleep_ms(EARLY_MS);
	trace_set(&trace, "tracing_on", "1");
	sleep_ms(LATE_MS);
	trace_set(&trace, "tracing_on", "0");
	read_looks(&trace, &looks, &rounds);
	trace_end(&trace);
	CHECK(!view_thread(t->view, t->pid).migrated);
	atomic_store(&t->release, 1);
	EVENTUALLY(view_thread(t->view, t->pid).migrated);
	target_end(t);
	ksft_print_msg("%ld looks in %ld rounds\n", looks, rounds);
	CHECK_MSG(rounds > 0 && looks > 0, "%ld looks in %ld rounds", looks, rounds);
	/* The first ones may be of a round before. */
	CHECK_MSG(looks <= LOOKS_EACH * (rounds + 1), "%ld looks in %ld rounds", looks, rounds);
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "blocked in a guard, and outside for a moment", outside_for_a_moment },
		{ "in a guard all the time: a few looks for each round", looks_are_few },
	};

	MMVIEW_MAIN(cases);
}
