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

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "blocked in a guard, and outside for a moment", outside_for_a_moment },
	};

	MMVIEW_MAIN(cases);
}
