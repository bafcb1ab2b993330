// SPDX-License-Identifier: GPL-2.0
/*
 * A blocked thread is looked at, then moved. One that has run in between, and
 * is blocked again, is not where it was looked at: it must stay.
 *
 * The thread blocks in no guard, on a stack that takes long to search: it is
 * full of words that lie between the guards. Meanwhile it gets a signal. The
 * handler is guarded from its first byte on, so that the thread is unsafe at
 * every moment of its way from there into the next system call.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "remote.h"

#define STACK_WORDS	(24 * PAGE / sizeof(long))
#define GUARDS		512

extern const char __start_handler_text[], __stop_handler_text[];

static struct target *whole;

/* Which text runs, before and after it was blocked in here. */
__attribute__((noinline, section("handler_text"))) static void handler(int signal)
{
	struct member *m = &whole->member[0];
	char byte;

	(void)signal;
	atomic_store(&m->last, code_call(whole->code));
	CHECK_EQ(read(whole->pipe[0], &byte, 1), 1);
	atomic_store(&m->returned, code_call(whole->code));
}

/* A guard of one byte, at @i; nothing is there but the page. */
static char *decoy(struct target *t, int i)
{
	return t->code + PAGE + 4 * i;
}

static int block_on_a_long_stack(void *arg)
{
	struct sigaction action = { .sa_handler = handler };	/* no SA_RESTART */
	volatile unsigned long words[STACK_WORDS];
	struct target *t = whole = arg;
	struct member *m = &t->member[0];
	char byte;

	for (size_t i = 0; i < STACK_WORDS; i++)
		words[i] = (uintptr_t)decoy(t, GUARDS / 2) + 3;
	target_enter(m);
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	atomic_store(&m->inside, 1);
	CHECK_ERR(read(t->pipe[0], &byte, 1), EINTR);
	CHECK(words[0]);
	atomic_store(&m->left, 1);
	target_call_until_stop(t, m);
	return 0;
}

static void guard_handler_and_decoys(struct target *t)
{
	static struct mmview_range ranges[GUARDS];
	struct mmview_guard guard = { (uintptr_t)ranges, GUARDS, 0 };

	for (int i = 0; i < GUARDS; i++)
		ranges[i] = (struct mmview_range){ (uintptr_t)decoy(t, i),
						   (uintptr_t)decoy(t, i) + 1,
						   MMVIEW_GUARD_BODY, 0 };
	/* It ends in no call; at its end something else begins, whose address may lie about. */
	ranges[0].start = (uintptr_t)__start_handler_text;
	ranges[0].end = (uintptr_t)__stop_handler_text - 1;
	CHECK(!ioctl(t->view, MMVIEW_IOC_GUARD, &guard));
}

static void *migrate(void *arg)
{
	struct target *t = arg;

	CHECK(sys_mmview_migrate(t->view, t->pid, 0) >= 0);
	return NULL;
}

/* The signal comes @delay ms after the migration has begun. */
static void signal_meanwhile(long delay)
{
	struct target *t = target_start(code_map(CODE_FILE, 2), block_on_a_long_stack, 0);
	struct member *m = &t->member[0];
	pthread_t thread;
	int before;

	target_wait_inside(t, 1);
	EVENTUALLY(target_blocked(t, m));
	view_patch(t->view, t->code, NEW);
	guard_handler_and_decoys(t);
	CHECK(!pthread_create(&thread, NULL, migrate, t));
	sleep_ms(delay);
	CHECK(!kill(t->pid, SIGUSR1));
	CHECK(!pthread_join(thread, NULL));
	EVENTUALLY(atomic_load(&m->last));
	before = atomic_load(&m->last);
	CHECK_EQ(write(t->pipe[1], "x", 1), 1);
	EVENTUALLY(atomic_load(&m->returned));
	CHECK_MSG(atomic_load(&m->returned) == before,
		  "signal after %ld ms: in the guard the text changes from %d to %d", delay,
		  before, atomic_load(&m->returned));
	EVENTUALLY(view_thread(t->view, t->pid).migrated);
	target_end(t);
}

/* How long the search takes depends on the machine. */
static int signal_between_look_and_move(void)
{
	for (long delay = 1; delay <= 64; delay *= 2)
		signal_meanwhile(delay);
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "a signal while the stack is searched", signal_between_look_and_move },
	};

	MMVIEW_MAIN(cases);
}
