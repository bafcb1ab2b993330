// SPDX-License-Identifier: GPL-2.0
/*
 * A crowd: threads in the base and in three generations of views, spinning,
 * blocked and changing their mappings, while one of them starts a program, in
 * a child or in place of its own, or ends the process.
 *
 * Who starts a program in a child goes on in its view, and so do all the
 * others; the program starts in the base; and when the crowd ends, in whatever
 * way, no view is left of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mmview_util.h"

#define PLACES		4	/* the base, and the generations */
#define KINDS		4	/* of threads in each */
#define ROUNDS		4	/* of what can be done more than once */
#define AFTER_EXEC	44	/* the status of this program after exec: see main() */

__asm__(".pushsection .text.mmview_own, \"ax\", @progbits\n"
	".balign 4096\n"
	".globl own_text\n"
	"own_text: .byte 0xb8; .long 1; .byte 0xc3\n"
	".balign 4096, 0xcc\n"
	".popsection");
extern const char own_text[];
extern char **environ;

static int views[PLACES];
static pthread_barrier_t all_there;
static atomic_int over, rounds[PLACES][KINDS];
static struct helper *actor[PLACES];	/* the thread of each place that acts */

static int value_of(int place)
{
	return place ? 10 + place : OLD;
}

static void expect_place(int place)
{
	CHECK_EQ(code_call(own_text), value_of(place));
	CHECK_EQ(task_view(getpid(), sys_gettid()) != 0, place != 0);
}

static long go_to(void *arg)
{
	int place = (int)(intptr_t)arg;

	if (place)
		CHECK_EQ(sys_mmview_migrate(views[place], 0, 0), 1);
	expect_place(place);
	return 0;
}

/* ------------------------------------------------------------------------
 * The crowd
 */

static void change_mappings(void)
{
	char *at = data_map_at(NULL, 4);

	at[0] = 1;
	CHECK(!mprotect(at, PAGE, PROT_READ));
	CHECK(!munmap(at, 4 * PAGE));
}

static void *be_there(void *arg)
{
	int place = (intptr_t)arg / KINDS, kind = (intptr_t)arg % KINDS;
	int value = value_of(place);

	go_to((void *)(intptr_t)place);
	pthread_barrier_wait(&all_there);
	while (!atomic_load(&over)) {
		CHECK_EQ(code_call(own_text), value);
		atomic_fetch_add(&rounds[place][kind], 1);
		if (kind == 1)
			sleep_ms(1);
		else if (kind == 2)
			change_mappings();
		else if (kind == 3)
			pause();	/* until the end of the process */
	}
	return NULL;
}

/* Each generation is made when threads are in the one before it. */
static void make_generation(int place)
{
	int self = sys_pidfd_open(getpid());

	views[place] = sys_mmview_clone(self, MMVIEW_CLONE_NEWEST);
	CHECK(views[place] >= 0);
	CHECK_EQ(view_value(views[place], own_text), value_of(place - 1));
	view_patch(views[place], own_text, value_of(place));
	CHECK(!close(self));
}

static void gather(void)
{
	pthread_t thread;

	pthread_barrier_init(&all_there, NULL, PLACES * KINDS + 1);
	for (intptr_t place = 0; place < PLACES; place++) {
		if (place)
			make_generation(place);
		actor[place] = helper_start();
		helper_call(actor[place], go_to, (void *)place);
		for (int kind = 0; kind < KINDS; kind++)
			CHECK(!pthread_create(&thread, NULL, be_there,
					      (void *)(place * KINDS + kind)));
	}
	pthread_barrier_wait(&all_there);
	/* The views are the threads' alone. */
	for (int place = 1; place < PLACES; place++)
		CHECK(!close(views[place]));
}

/* Everybody is where they were, and those that are not blocked get on. */
static void expect_undisturbed(void)
{
	int before[PLACES][KINDS];

	memcpy(before, rounds, sizeof(before));
	for (int place = 0; place < PLACES; place++)
		for (int kind = 0; kind < KINDS - 1; kind++)
			EVENTUALLY(atomic_load(&rounds[place][kind]) > before[place][kind]);
}

/* ------------------------------------------------------------------------
 * A program in a child
 */

static char *const after_exec[] = { "crowd", "--after-exec", NULL };

static long spawn_programs(void *arg)
{
	int place = (int)(intptr_t)arg;
	pid_t pid;

	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQ(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, after_exec, environ), 0);
		CHECK_EQ(reap(pid), AFTER_EXEC);
		CHECK_EQ(posix_spawn(&pid, "/nowhere", NULL, NULL, after_exec, environ), ENOENT);
		expect_place(place);
	}
	return 0;
}

/* The child of vfork() is in its parent's view until it executes. */
static long vfork_programs(void *arg)
{
	int place = (int)(intptr_t)arg;
	volatile int seen;
	pid_t pid;

	for (int i = 0; i < ROUNDS; i++) {
		seen = 0;
		pid = vfork();
		if (!pid) {
			seen = code_call(own_text);
			execv("/proc/self/exe", after_exec);
			_exit(1);
		}
		CHECK_EQ(reap(pid), AFTER_EXEC);
		CHECK_EQ(seen, value_of(place));
		pid = vfork();
		if (!pid)
			_exit(execv("/nowhere", after_exec) == -1 ? code_call(own_text) : 0);
		CHECK_EQ(reap(pid), value_of(place));
		expect_place(place);
	}
	return 0;
}

/* One that is not executed after all leaves everybody where they are. */
static long fail_to_execute(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_ERR(execv("/nowhere", after_exec), ENOENT);
		CHECK_ERR(execv("/", after_exec), EACCES);
		expect_place((int)(intptr_t)arg);
	}
	return 0;
}

static int each_acts(void *fn)
{
	gather();
	for (intptr_t place = 0; place < PLACES; place++) {
		helper_call(actor[place], (long (*)(void *))(uintptr_t)fn, (void *)place);
		expect_undisturbed();
	}
	return 0;
}

/* ------------------------------------------------------------------------
 * The end of them all
 */

static long execute(void *arg)
{
	(void)arg;
	execv("/proc/self/exe", after_exec);
	_exit(1);
}

static long end_all(void *arg)
{
	_exit(60 + (int)(intptr_t)arg);
}

static long crash(void *arg)
{
	struct rlimit none = { 0, 0 };

	(void)arg;
	setrlimit(RLIMIT_CORE, &none);
	raise(SIGABRT);
	return 0;
}

struct ending {
	long (*fn)(void *arg);
	intptr_t place;
};

static int crowd_ends(void *arg)
{
	struct ending *ending = arg;

	gather();
	helper_call(actor[ending->place], ending->fn, (void *)ending->place);
	return 1;
}

static void expect_views(int before)
{
	if (before >= 0)
		EVENTUALLY(views_alive() == before);
}

static int each_ends_it(long (*fn)(void *), int status, int step)
{
	int before = views_alive();

	for (int place = 0; place < PLACES; place++) {
		struct ending ending = { fn, place };

		CHECK_EQ(reap(spawn(crowd_ends, &ending)), status + step * place);
		expect_views(before);
	}
	return 0;
}

static int nobody_is_disturbed(long (*fn)(void *))
{
	int before = views_alive();

	CHECK_EQ(reap(spawn(each_acts, (void *)(uintptr_t)fn)), 0);
	expect_views(before);
	return 0;
}

static int spawned(void)
{
	return nobody_is_disturbed(spawn_programs);
}

static int vforked(void)
{
	return nobody_is_disturbed(vfork_programs);
}

static int not_executed(void)
{
	return nobody_is_disturbed(fail_to_execute);
}

static int executed(void)
{
	return each_ends_it(execute, AFTER_EXEC, 0);
}

static int exited(void)
{
	return each_ends_it(end_all, 60, 1);
}

static int crashed(void)
{
	return each_ends_it(crash, 256 + SIGABRT, 0);
}

int main(int argc, char **argv)
{
	static const struct mmview_case cases[] = {
		{ "posix_spawn from the base and three generations", spawned },
		{ "vfork and exec from each", vforked },
		{ "exec that fails in each", not_executed },
		{ "exec by a thread of each", executed },
		{ "exit_group by a thread of each", exited },
		{ "a fatal signal in a thread of each", crashed },
	};

	if (argc == 2 && !strcmp(argv[1], "--after-exec")) {
		expect_place(0);
		return AFTER_EXEC;
	}
	MMVIEW_MAIN(cases);
}
