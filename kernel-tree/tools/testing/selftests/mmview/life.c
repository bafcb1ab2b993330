// SPDX-License-Identifier: GPL-2.0
/*
 * Views and the life of processes: fork, vfork, exec, new threads, exits, and
 * a descriptor that is attached anew.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mmview_util.h"

__asm__(".pushsection .text.mmview_own, \"ax\", @progbits\n"
	".balign 4096\n"
	".globl own_text\n"
	"own_text: .byte 0xb8; .long 1; .byte 0xc3\n"
	".balign 4096, 0xcc\n"
	".popsection");
extern const char own_text[];

static char *code;
static int view;

static void new_view(const void *text)
{
	code = (char *)text;
	view = view_of(getpid());
	view_patch(view, text, NEW);
}

static void enter_view(void)
{
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	CHECK_EQ(code_call(code), NEW);
}

static int expect_new(void *arg)
{
	(void)arg;
	CHECK_EQ(code_call(code), NEW);
	CHECK(task_view(getpid(), sys_gettid()) != 0);
	return 0;
}

static int expect_old(void *arg)
{
	(void)arg;
	CHECK_EQ(code_call(code), OLD);
	CHECK_EQ(task_view(getpid(), sys_gettid()), 0);
	return 0;
}

static volatile int written = 5;

static int child_of_a_child(void *arg)
{
	expect_new(arg);
	CHECK_EQ(written, 6);
	written = 7;
	CHECK_EQ(reap(spawn(expect_new, NULL)), 0);
	return 0;
}

/* What the child does to its text and data stays with the child. */
static int child_with_a_life_of_its_own(void *arg)
{
	CHECK_EQ(written, 5);
	written = 6;
	expect_new(arg);
	CHECK_EQ(reap(spawn(child_of_a_child, NULL)), 0);
	CHECK_EQ(written, 6);
	CHECK(!munmap(code, PAGE));
	code_map_at(code, CODE_ANON, 1);
	CHECK_EQ(code_call(code), OLD);
	return 0;
}

static int fork_in_a_view(void)
{
	new_view(code_map(CODE_FILE, 1));
	CHECK_EQ(reap(spawn(expect_old, NULL)), 0);
	enter_view();
	CHECK_EQ(reap(spawn(child_with_a_life_of_its_own, NULL)), 0);
	CHECK_EQ(written, 5);
	CHECK_EQ(code_call(code), NEW);
	return 0;
}

static void *fork_from_the_base(void *arg)
{
	pthread_barrier_t *in_view = arg;

	pthread_barrier_wait(in_view);
	CHECK_EQ(reap(spawn(expect_old, NULL)), 0);
	return NULL;
}

/* The child has the view of the thread that forked, not of the process. */
static int fork_in_both(void)
{
	pthread_barrier_t in_view;
	pthread_t thread;

	new_view(code_map(CODE_ANON, 1));
	pthread_barrier_init(&in_view, NULL, 2);
	CHECK(!pthread_create(&thread, NULL, fork_from_the_base, &in_view));
	enter_view();
	pthread_barrier_wait(&in_view);
	CHECK_EQ(reap(spawn(expect_new, NULL)), 0);
	CHECK(!pthread_join(thread, NULL));
	return 0;
}

static int outlives_its_parent(void *arg)
{
	int *pipe_ends = arg;
	char byte;

	if (fork())
		return 0;		/* the middle one goes at once */
	expect_new(NULL);
	sleep_ms(200);
	expect_new(NULL);
	byte = code_call(code);
	CHECK_EQ(write(pipe_ends[1], &byte, 1), 1);
	return 0;
}

static int child_outlives_the_view_it_came_from(void)
{
	int ends[2];
	char byte = 0;

	CHECK(!pipe(ends));
	new_view(code_map(CODE_FILE, 1));
	enter_view();
	CHECK(!close(view));
	CHECK_EQ(reap(spawn(outlives_its_parent, ends)), 0);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EQ(byte, NEW);
	return 0;
}

static int vfork_in_a_view(void)
{
	int status;
	pid_t pid;

	new_view(code_map(CODE_ANON, 1));
	enter_view();
	pid = vfork();
	if (!pid)
		_exit(code_call(code) == NEW ? 42 : 1);
	CHECK(pid > 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 42 << 8);
	expect_new(NULL);
	return 0;
}

static int use_shared_memory(void *arg)
{
	(void)arg;
	written = 9;
	return code_call(code) == NEW ? 43 : 1;
}

/* A process of its own in the same address space, by reference. */
static int clone_vm_in_a_view(void)
{
	char *stack = aligned_alloc(PAGE, 16 * PAGE);
	int status;
	pid_t pid;

	CHECK(stack);
	new_view(code_map(CODE_FILE, 1));
	enter_view();
	pid = clone(use_shared_memory, stack + 16 * PAGE, CLONE_VM | SIGCHLD, NULL);
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 43 << 8);
	CHECK_EQ(written, 9);
	return 0;
}

/* This program again, in the base whatever it came from: see main(). */
static int exec_now(void *arg)
{
	char *argv[] = { arg, "--after-exec", NULL };

	execv("/proc/self/exe", argv);
	return 99;
}

static void *exec_thread(void *arg)
{
	_exit(exec_now(arg));
}

static int exec_from_another_thread(void *arg)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, exec_thread, arg));
	for (;;)
		CHECK_EQ(code_call(code), NEW);
}

static int exec_in_a_view(void)
{
	new_view(own_text);
	enter_view();
	CHECK_EQ(reap(spawn(exec_now, "life")), 44);
	CHECK_EQ(reap(spawn(exec_from_another_thread, "life")), 44);
	expect_new(NULL);
	return 0;
}

static void *thread_in_view(void *arg)
{
	expect_new(NULL);
	CHECK_EQ(code_call(code), NEW);
	return arg;
}

static void *thread_in_base(void *arg)
{
	expect_old(NULL);
	return arg;
}

static int new_threads(void)
{
	pthread_t thread;

	new_view(code_map(CODE_FILE, 1));
	CHECK(!pthread_create(&thread, NULL, thread_in_base, NULL));
	CHECK(!pthread_join(thread, NULL));
	enter_view();
	for (int i = 0; i < 50; i++) {
		CHECK(!pthread_create(&thread, NULL, thread_in_view, NULL));
		CHECK(!pthread_join(thread, NULL));
	}
	return 0;
}

static void *go_into_view_and_end(void *arg)
{
	enter_view();
	return arg;
}

/* The last thread of a view ends; with the descriptor closed it is gone. */
static int thread_exit_frees_the_view(void)
{
	int before = views_alive();
	pthread_t thread;

	new_view(code_map(CODE_ANON, 1));
	CHECK(before < 0 || views_alive() == before + 1);
	for (int i = 0; i < 3; i++) {
		CHECK(!pthread_create(&thread, NULL, go_into_view_and_end, NULL));
		CHECK(!pthread_join(thread, NULL));
		CHECK_EQ(code_call(code), OLD);
	}
	CHECK(before < 0 || views_alive() == before + 1);
	CHECK(!close(view));
	if (before >= 0)
		EVENTUALLY(views_alive() == before);
	CHECK_EQ(code_call(code), OLD);
	return 0;
}

static pthread_barrier_t crowd_is_there;

static void *run_for_ever(void *arg)
{
	int expected = arg ? NEW : OLD;

	if (arg)
		enter_view();
	pthread_barrier_wait(&crowd_is_there);
	for (;;)
		CHECK_EQ(code_call(code), expected);
}

static int crowd_ends(void *arg)
{
	pthread_t thread;

	pthread_barrier_init(&crowd_is_there, NULL, 7);
	new_view(code_map(CODE_FILE, 1));
	for (intptr_t i = 0; i < 6; i++)
		CHECK(!pthread_create(&thread, NULL, run_for_ever, (void *)(i & 1)));
	pthread_barrier_wait(&crowd_is_there);
	sleep_ms(20);
	if (arg)
		raise(SIGKILL);
	return 45;
}

static int exit_group_in_both(void)
{
	int before = views_alive();

	for (int i = 0; i < 5; i++) {
		CHECK_EQ(reap(spawn(crowd_ends, NULL)), 45);
		CHECK_EQ(reap(spawn(crowd_ends, "kill")), 256 + SIGKILL);
	}
	if (before >= 0)
		EVENTUALLY(views_alive() == before);
	return 0;
}

static int dump_core(void *arg)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	char *directory = arg;

	CHECK(!chdir(directory));
	setrlimit(RLIMIT_CORE, &all);
	new_view(code_map(CODE_ANON, 1));
	enter_view();
	abort();
}

/* A thread in a view dumps core: the process ends as it does in the base. */
static int abort_in_a_view(void)
{
	char directory[] = "/tmp/mmview-core.XXXXXX", command[64];

	CHECK(mkdtemp(directory));
	CHECK_EQ(reap(spawn(dump_core, directory)), 256 + SIGABRT);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	CHECK_EQ(system(command), 0);
	return 0;
}

/* The newest view in use, for somebody who has lost the descriptor. */
static int attach(void)
{
	int self = sys_pidfd_open(getpid()), unused, again;
	long id;

	new_view(code_map(CODE_FILE, 1));
	CHECK_ERR(sys_mmview_clone(self, MMVIEW_CLONE_ATTACH), ENOENT);
	enter_view();
	id = task_view(getpid(), sys_gettid());
	unused = view_of(getpid());
	CHECK(!close(view));
	again = sys_mmview_clone(self, MMVIEW_CLONE_ATTACH);
	CHECK(again >= 0);
	CHECK(fcntl(again, F_GETFD) & FD_CLOEXEC);
	CHECK_EQ(view_value(again, code), NEW);
	CHECK_EQ(view_state(again, NULL, 0).migrated, 1);
	CHECK(view_state(again, NULL, 0).flags & MMVIEW_STATE_SEALED);
	CHECK_EQ(sys_mmview_migrate(again, 0, 0), 1);
	CHECK_EQ(task_view(getpid(), sys_gettid()), id);
	CHECK(!close(again) && !close(unused));
	return 0;
}

static int close_unused(void)
{
	int before = views_alive();

	for (int i = 0; i < 200; i++) {
		new_view(i ? code : code_map(CODE_ANON, 1));
		CHECK(!close(view));
	}
	if (before >= 0)
		EVENTUALLY(views_alive() == before);
	CHECK_EQ(code_call(code), OLD);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct mmview_case cases[] = {
		{ "fork in a view: the child has a copy", fork_in_a_view },
		{ "fork in the base while others are in a view", fork_in_both },
		{ "a child outlives the view it came from", child_outlives_the_view_it_came_from },
		{ "vfork in a view", vfork_in_a_view },
		{ "clone(CLONE_VM) in a view", clone_vm_in_a_view },
		{ "exec in a view starts in the base", exec_in_a_view },
		{ "a thread starts in its creator's view", new_threads },
		{ "thread exit, then close, frees the view", thread_exit_frees_the_view },
		{ "exit_group and SIGKILL with threads in both", exit_group_in_both },
		{ "abort in a view", abort_in_a_view },
		{ "attach to a view whose descriptor is closed", attach },
		{ "close views that nobody has migrated into", close_unused },
	};

	if (argc == 2 && !strcmp(argv[1], "--after-exec")) {
		code = (char *)own_text;
		expect_old(NULL);
		return 44;
	}
	MMVIEW_MAIN(cases);
}
