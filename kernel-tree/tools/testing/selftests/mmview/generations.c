// SPDX-License-Identifier: GPL-2.0
/*
 * Generations: a second and a third view while threads are still on their way
 * to the first, going back, and threads that never come along.
 *
 * A thread executes exactly one generation's text at any time. One that cannot
 * leave a patched function keeps the text it has; nobody else waits for it.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mmview_util.h"

/* The patched functions of the first, second and third generation. */
#define GUARDED(n)								\
	extern const char __start_text_of_##n[], __stop_text_of_##n[];		\
	__attribute__((noinline, section("text_of_" #n)))			\
	static void guarded##n(void (*fn)(void *), void *arg)			\
	{									\
		fn(arg);							\
		asm volatile("" ::: "memory");					\
	}
GUARDED(1)
GUARDED(2)
GUARDED(3)

struct worker {
	pthread_t thread;
	atomic_int tid;
	atomic_int inside;	/* generation of the function it stands in; 0: none */
	atomic_int enter;	/* go into that function */
	atomic_int leave;	/* come out of it */
	atomic_int value[3];	/* what the three pages return */
	atomic_int stop;
};

static char *code;		/* three pages, one patched by each generation */
static char *text[3];

static void stay(void *arg)
{
	struct worker *w = arg;
	int level = atomic_load(&w->enter);

	atomic_store(&w->inside, level);
	while (!atomic_load(&w->leave)) {
		for (int i = 0; i < 3; i++)
			atomic_store(&w->value[i], code_call(text[i]));
		sleep_ms(1);
	}
	atomic_store(&w->leave, 0);
	atomic_store(&w->enter, 0);
}

/* No word of an old frame may be left where a later one has a gap. */
__attribute__((noinline)) static void scrub(void)
{
	volatile char below[64 * 1024];

	for (size_t i = 0; i < sizeof(below); i++)
		below[i] = 0;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	atomic_store(&w->tid, sys_gettid());
	while (!atomic_load(&w->stop)) {
		switch (atomic_load(&w->enter)) {
		case 1:
			guarded1(stay, w);
			break;
		case 2:
			guarded2(stay, w);
			break;
		case 3:
			guarded3(stay, w);
			break;
		}
		scrub();
		atomic_store(&w->inside, 0);
		for (int i = 0; i < 3; i++)
			atomic_store(&w->value[i], code_call(text[i]));
		sleep_ms(1);
	}
	return NULL;
}

static void start(struct worker *w, int level)
{
	memset(w, 0, sizeof(*w));
	atomic_store(&w->enter, level);
	CHECK(!pthread_create(&w->thread, NULL, work, w));
	EVENTUALLY(atomic_load(&w->tid) && atomic_load(&w->inside) == level);
}

static void leave(struct worker *w)
{
	atomic_store(&w->leave, 1);
	EVENTUALLY(!atomic_load(&w->inside));
}

static void stop(struct worker *w)
{
	if (atomic_load(&w->inside))
		leave(w);
	atomic_store(&w->stop, 1);
	CHECK(!pthread_join(w->thread, NULL));
}

/* The thread comes to see these three values, and stays with them. */
static void expect(struct worker *w, int first, int second, int third)
{
	EVENTUALLY(atomic_load(&w->value[0]) == first && atomic_load(&w->value[1]) == second &&
		   atomic_load(&w->value[2]) == third);
	sleep_ms(50);
	CHECK_EQ(atomic_load(&w->value[0]), first);
	CHECK_EQ(atomic_load(&w->value[1]), second);
	CHECK_EQ(atomic_load(&w->value[2]), third);
}

static void map_text(void)
{
	code = code_map(CODE_FILE, 3);
	for (int i = 0; i < 3; i++)
		text[i] = code + i * PAGE;
}

static int view_from(unsigned int flags)
{
	int pidfd = sys_pidfd_open(getpid()), view;

	view = sys_mmview_clone(pidfd, flags);
	CHECK(pidfd >= 0 && view >= 0);
	close(pidfd);
	return view;
}

static void guard(int view, int level)
{
	const char *starts[] = { __start_text_of_1, __start_text_of_2, __start_text_of_3 };
	const char *stops[] = { __stop_text_of_1, __stop_text_of_2, __stop_text_of_3 };
	struct mmview_range range = { (uintptr_t)starts[level - 1] + 1,
				      (uintptr_t)stops[level - 1], MMVIEW_GUARD_BODY, 0 };
	struct mmview_guard guards = { (uintptr_t)&range, 1, 0 };

	CHECK(!ioctl(view, MMVIEW_IOC_GUARD, &guards));
}

/* The next generation: patches page @level - 1, and guards its function. */
static int next_generation(int level)
{
	int view = view_from(MMVIEW_CLONE_NEWEST);

	view_patch(view, text[level - 1], NEW + level);
	guard(view, level);
	return view;
}

static int migrate_all(int view)
{
	return sys_mmview_migrate(view, getpid(), MMVIEW_MIGRATE_ALL);
}

static short polled(int view)
{
	struct pollfd fd = { .fd = view, .events = POLLIN };

	CHECK(poll(&fd, 1, 0) >= 0);
	return fd.revents;
}

static bool migrated(int view, struct worker *w)
{
	return view_thread(view, atomic_load(&w->tid)).migrated;
}

static int newest_of_none(void)
{
	int view;

	map_text();
	view = next_generation(1);
	CHECK_EQ(view_value(view, text[0]), NEW + 1);
	CHECK_EQ(view_value(view, text[1]), OLD);
	CHECK_EQ(view_state(view, NULL, 0).overrides, 1);
	return 0;
}

/* Overrides are shared until one is written; then the older view keeps its own. */
static int newest_copies_on_write(void)
{
	int first, second;

	map_text();
	first = next_generation(1);
	CHECK_EQ(sys_mmview_migrate(first, 0, 0), 1);
	second = next_generation(2);
	CHECK_EQ(view_state(second, NULL, 0).overrides, 2);
	CHECK_EQ(view_value(second, text[0]), NEW + 1);
	view_patch(second, text[0], 77);
	CHECK_EQ(view_value(second, text[0]), 77);
	CHECK_EQ(view_value(first, text[0]), NEW + 1);
	CHECK_EQ(code_call(text[0]), NEW + 1);
	CHECK_EQ(sys_mmview_migrate(second, 0, 0), 1);
	CHECK_EQ(code_call(text[0]), 77);
	CHECK_EQ(code_call(text[1]), NEW + 2);
	CHECK_EQ(sys_mmview_migrate(first, 0, 0), 1);
	CHECK_EQ(code_call(text[0]), NEW + 1);
	CHECK_EQ(code_call(text[1]), OLD);
	return 0;
}

/* The second patch comes while a thread cannot go to the first. */
static int second_while_first_is_pending(void)
{
	struct worker stuck, other;
	int first, second;

	map_text();
	start(&stuck, 1);
	start(&other, 0);
	first = next_generation(1);
	CHECK_EQ(migrate_all(first), 0);
	expect(&other, NEW + 1, OLD, OLD);
	expect(&stuck, OLD, OLD, OLD);
	CHECK_EQ(polled(first), 0);

	second = next_generation(2);
	CHECK_EQ(migrate_all(second), 0);
	CHECK_EQ(polled(first), POLLHUP);
	CHECK(view_state(first, NULL, 0).flags & MMVIEW_STATE_SUPERSEDED);
	CHECK_ERR(migrate_all(first), EBUSY);
	expect(&other, NEW + 1, NEW + 2, OLD);
	expect(&stuck, OLD, OLD, OLD);
	CHECK(!migrated(second, &stuck));
	/* What holds it is a guard that came with the first generation. */
	EVENTUALLY(view_thread(second, atomic_load(&stuck.tid)).why == MMVIEW_WHY_STACK);
	CHECK_EQ(view_thread(second, atomic_load(&stuck.tid)).guard, 1);
	CHECK_EQ(view_thread(first, atomic_load(&stuck.tid)).why, MMVIEW_WHY_NOT_ASKED);

	leave(&stuck);
	EVENTUALLY(polled(second) == POLLIN);
	expect(&stuck, NEW + 1, NEW + 2, OLD);
	CHECK(!ioctl(second, MMVIEW_IOC_FOLD));
	CHECK_EQ(code_call(text[0]), NEW + 1);
	CHECK_EQ(code_call(text[1]), NEW + 2);
	stop(&stuck);
	stop(&other);
	return 0;
}

/* Threads in the base and in three generations, each with its own text. */
static int three_at_once(void)
{
	struct worker in_base, in_first, in_second, in_third;
	int views[3], before = views_alive();

	map_text();
	start(&in_base, 1);
	start(&in_first, 0);
	start(&in_second, 0);
	start(&in_third, 0);
	views[0] = next_generation(1);
	CHECK_EQ(migrate_all(views[0]), 0);
	expect(&in_first, NEW + 1, OLD, OLD);
	expect(&in_second, NEW + 1, OLD, OLD);

	atomic_store(&in_first.enter, 2);
	EVENTUALLY(atomic_load(&in_first.inside) == 2);
	views[1] = next_generation(2);
	CHECK_EQ(migrate_all(views[1]), 0);
	expect(&in_second, NEW + 1, NEW + 2, OLD);

	atomic_store(&in_second.enter, 3);
	EVENTUALLY(atomic_load(&in_second.inside) == 3);
	views[2] = next_generation(3);
	CHECK_EQ(migrate_all(views[2]), 0);

	expect(&in_third, NEW + 1, NEW + 2, NEW + 3);
	expect(&in_second, NEW + 1, NEW + 2, OLD);
	expect(&in_first, NEW + 1, OLD, OLD);
	expect(&in_base, OLD, OLD, OLD);
	if (before >= 0)
		CHECK_EQ(views_alive(), before + 3);

	/* A view goes with the last thread that leaves it. */
	close(views[0]);
	close(views[1]);
	leave(&in_first);
	expect(&in_first, NEW + 1, NEW + 2, NEW + 3);
	if (before >= 0)
		EVENTUALLY(views_alive() == before + 2);
	leave(&in_second);
	expect(&in_second, NEW + 1, NEW + 2, NEW + 3);
	if (before >= 0)
		EVENTUALLY(views_alive() == before + 1);
	CHECK_ERR(ioctl(views[2], MMVIEW_IOC_FOLD), EBUSY);
	leave(&in_base);
	EVENTUALLY(polled(views[2]) == POLLIN);
	CHECK(!ioctl(views[2], MMVIEW_IOC_FOLD));
	expect(&in_base, NEW + 1, NEW + 2, NEW + 3);
	stop(&in_base);
	stop(&in_first);
	stop(&in_second);
	stop(&in_third);
	return 0;
}

/* Back to the old text, from a view that was not folded, and from one that was. */
static int revert(void)
{
	struct worker w;
	int view;

	map_text();
	start(&w, 0);
	view = next_generation(1);
	CHECK(migrate_all(view) >= 0);
	expect(&w, NEW + 1, OLD, OLD);
	close(view);
	view = view_from(0);		/* the base still has the old text */
	CHECK(migrate_all(view) >= 0);
	expect(&w, OLD, OLD, OLD);
	EVENTUALLY(polled(view) == POLLIN);
	CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
	close(view);
	CHECK_EQ(code_call(text[0]), OLD);

	view = next_generation(1);
	CHECK(migrate_all(view) >= 0);
	EVENTUALLY(polled(view) == POLLIN);
	CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
	close(view);
	CHECK_EQ(code_call(text[0]), NEW + 1);
	view = view_from(0);
	view_patch(view, text[0], OLD);
	CHECK(migrate_all(view) >= 0);
	EVENTUALLY(polled(view) == POLLIN);
	CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
	expect(&w, OLD, OLD, OLD);
	stop(&w);
	return 0;
}

/* It never leaves: it keeps its text, and others are patched again and again. */
static int one_never_leaves(void)
{
	struct worker stuck, other;
	int view = -1;

	map_text();
	start(&stuck, 1);
	start(&other, 0);
	for (int round = 0; round < 5; round++) {
		int next = view_from(MMVIEW_CLONE_NEWEST);

		view_patch(next, text[0], 100 + round);
		guard(next, 1);
		CHECK_EQ(migrate_all(next), 0);
		if (view >= 0)
			close(view);
		view = next;
		expect(&other, 100 + round, OLD, OLD);
		expect(&stuck, OLD, OLD, OLD);
	}
	stop(&other);
	stop(&stuck);
	return 0;
}

/* A thread is born while its parent is on its way. */
static void *bear(void *arg)
{
	struct worker *child = arg;

	start(child, 0);
	return NULL;
}

static void bear_inside(void *arg)
{
	bear(arg);
}

static void *parent(void *arg)
{
	guarded1(bear_inside, arg);
	return NULL;
}

static int born_between_generations(void)
{
	struct worker stuck, child;
	pthread_t thread;
	int first, second;

	map_text();
	start(&stuck, 1);
	first = next_generation(1);
	CHECK_EQ(migrate_all(first), 0);
	second = next_generation(2);
	CHECK_EQ(migrate_all(second), 0);
	CHECK(!pthread_create(&thread, NULL, parent, &child));
	CHECK(!pthread_join(thread, NULL));
	expect(&child, NEW + 1, NEW + 2, OLD);
	stop(&child);
	stop(&stuck);
	return 0;
}

/* A view that is being built over the same page as one that is folded. */
static int fold_under_a_view_being_built(void)
{
	int first, second;

	map_text();
	CHECK(!mprotect(code, PAGE, PROT_READ | PROT_WRITE));
	stub_write(code + 64, OLD);
	CHECK(!mprotect(code, PAGE, PROT_READ | PROT_EXEC));
	first = view_from(0);
	view_patch(first, code, NEW);
	second = view_from(0);		/* of the base, before the fold */
	view_patch(second, code + 64, NEW + 5);
	CHECK_EQ(view_value(second, code), OLD);
	CHECK_EQ(sys_mmview_migrate(first, 0, 0), 1);
	CHECK(!ioctl(first, MMVIEW_IOC_FOLD));
	CHECK_EQ(view_value(second, code), NEW);
	CHECK_EQ(sys_mmview_migrate(second, 0, 0), 1);
	CHECK_EQ(code_call(code), NEW);
	CHECK_EQ(code_call(code + 64), NEW + 5);
	CHECK(!ioctl(second, MMVIEW_IOC_FOLD));
	CHECK_EQ(code_call(code), NEW);
	CHECK_EQ(code_call(code + 64), NEW + 5);
	return 0;
}

/* The main thread has ended; the process lives on, and can be patched. */
static struct { struct worker w; atomic_int go; } *headless;

static void *without_a_head(void *arg)
{
	(void)arg;
	headless->w.value[0] = OLD;
	work(&headless->w);
	syscall(SYS_exit_group, 0);
	return NULL;
}

static int lose_the_head(void *arg)
{
	pthread_t thread;

	(void)arg;
	CHECK(!pthread_create(&thread, NULL, without_a_head, NULL));
	syscall(SYS_exit, 0);
	return 1;
}

static int main_thread_is_gone(void)
{
	int view;
	pid_t pid;

	map_text();
	headless = shared_alloc(sizeof(*headless));
	pid = spawn(lose_the_head, NULL);
	EVENTUALLY(atomic_load(&headless->w.tid) && atomic_load(&headless->w.value[0]) == OLD);
	sleep_ms(50);
	view = view_of(pid);
	view_patch(view, text[0], NEW);
	CHECK(sys_mmview_migrate(view, pid, MMVIEW_MIGRATE_ALL) >= 0);
	EVENTUALLY(polled(view) == POLLIN);
	CHECK_EQ(view_state(view, NULL, 0).nr, 1);
	EVENTUALLY(atomic_load(&headless->w.value[0]) == NEW);
	CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
	atomic_store(&headless->w.stop, 1);
	CHECK_EQ(reap(pid), 0);
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "the next generation of none is the first", newest_of_none },
		{ "generations share overrides until they differ", newest_copies_on_write },
		{ "a second while the first is pending", second_while_first_is_pending },
		{ "three, and the base, at the same moment", three_at_once },
		{ "back to the old text, folded or not", revert },
		{ "one thread never leaves", one_never_leaves },
		{ "a thread that is born between them", born_between_generations },
		{ "a fold under a view that is being built", fold_under_a_view_being_built },
		{ "the main thread has ended", main_thread_is_gone },
	};

	MMVIEW_MAIN(cases);
}
