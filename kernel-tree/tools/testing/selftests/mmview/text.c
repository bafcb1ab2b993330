// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of an override when the mapping under it changes: munmap and
 * mprotect(PROT_WRITE) end it, mprotect(PROT_NONE) hides it, madvise leaves it.
 * Each case looks from a thread in the view and from one in the base.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mmview_util.h"

static char *code;
static int view;

/* --- a thread that stays in the base and calls what it is asked to -------- */

static pthread_barrier_t ask, answered;
static const void *question;
static int answer;
static _Thread_local sigjmp_buf fault;
static _Thread_local volatile bool catching;

static void on_fault(int signal)
{
	if (!catching)
		_exit(128 + signal);
	siglongjmp(fault, 1);
}

/* The return value, or -SIGSEGV where that is what happens. */
static int call_or_fault(const void *text)
{
	int value = -SIGSEGV;

	if (!sigsetjmp(fault, 1)) {
		catching = true;
		value = code_call(text);
	}
	catching = false;
	return value;
}

static void *base_thread(void *arg)
{
	for (;;) {
		pthread_barrier_wait(&ask);
		answer = call_or_fault(question);
		pthread_barrier_wait(&answered);
	}
	return arg;
}

static int base_call(const void *text)
{
	question = text;
	pthread_barrier_wait(&ask);
	pthread_barrier_wait(&answered);
	return answer;
}

/* Three pages with overrides 11, 12, 13; the caller in the view. */
static void setup(enum code_kind kind)
{
	struct sigaction action = { .sa_handler = on_fault };
	pthread_t thread;

	CHECK(!sigaction(SIGSEGV, &action, NULL));
	pthread_barrier_init(&ask, NULL, 2);
	pthread_barrier_init(&answered, NULL, 2);
	CHECK(!pthread_create(&thread, NULL, base_thread, NULL));
	code = code_map(kind, 3);
	view = view_of(getpid());
	for (int i = 0; i < 3; i++)
		view_patch(view, code + i * PAGE, 11 + i);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(code_call(code + i * PAGE), 11 + i);
		CHECK_EQ(base_call(code + i * PAGE), OLD);
	}
}

static void expect(int page, int in_view, int in_base)
{
	CHECK_MSG(call_or_fault(code + page * PAGE) == in_view, "page %d in the view: %d, not %d",
		  page, call_or_fault(code + page * PAGE), in_view);
	CHECK_MSG(base_call(code + page * PAGE) == in_base, "page %d in the base: %d, not %d",
		  page, base_call(code + page * PAGE), in_base);
}

static void neighbours_stay(void)
{
	expect(0, 11, OLD);
	expect(2, 13, OLD);
}

/* --- the cases, each for anonymous and file text -------------------------- */

static int unmap(enum code_kind kind)
{
	setup(kind);
	CHECK(!munmap(code + PAGE, PAGE));
	expect(1, -SIGSEGV, -SIGSEGV);
	neighbours_stay();
	code_map_at(code + PAGE, kind, 1);
	expect(1, OLD, OLD);
	neighbours_stay();
	CHECK_EQ(view_value(view, code + PAGE), OLD);
	return 0;
}

/* In one step: the old mapping goes and the new one comes. */
static int map_over(enum code_kind kind)
{
	setup(kind);
	code_map_at(code + PAGE, CODE_FILE, 1);
	expect(1, OLD, OLD);
	neighbours_stay();
	code_map_at(code, kind, 3);
	for (int i = 0; i < 3; i++)
		expect(i, OLD, OLD);
	return 0;
}

static int move_away(enum code_kind kind)
{
	char *to;

	setup(kind);
	to = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(to != MAP_FAILED);
	CHECK(mremap(code + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	expect(1, -SIGSEGV, -SIGSEGV);
	neighbours_stay();
	CHECK_EQ(code_call(to), OLD);
	CHECK_EQ(base_call(to), OLD);
	return 0;
}

static int protect_none(enum code_kind kind)
{
	setup(kind);
	for (int i = 0; i < 3; i++) {
		CHECK(!mprotect(code + PAGE, PAGE, PROT_NONE));
		expect(1, -SIGSEGV, -SIGSEGV);
		neighbours_stay();
		CHECK(!mprotect(code + PAGE, PAGE, PROT_READ));
		expect(1, -SIGSEGV, -SIGSEGV);
		CHECK(!mprotect(code + PAGE, PAGE, PROT_READ | PROT_EXEC));
		expect(1, 12, OLD);
		neighbours_stay();
	}
	return 0;
}

/* The base is what a write lands in; the override of that page is dropped. */
static int protect_write_and_write(enum code_kind kind)
{
	setup(kind);
	CHECK(!mprotect(code + PAGE, PAGE, PROT_READ | PROT_WRITE));
	code[PAGE + 1] = 70;
	code[2 * PAGE - 1] = 0x5a;
	CHECK_EQ(code[PAGE + 1], 70);
	CHECK(!mprotect(code + PAGE, PAGE, PROT_READ | PROT_EXEC));
	expect(1, 70, 70);
	CHECK_EQ(code[2 * PAGE - 1], 0x5a);
	neighbours_stay();
	CHECK_EQ(view_value(view, code + PAGE), 70);
	return 0;
}

static atomic_int progress;

static void *write_in_view(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		((volatile char *)code)[PAGE + 100 + i] = 1;
		atomic_fetch_add(&progress, 1);
	}
	return arg;
}

/* Writable and executable, written by a thread in the view: no endless fault. */
static int write_while_others_run(enum code_kind kind)
{
	pthread_t thread;

	setup(kind);
	CHECK(!mprotect(code + PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
	CHECK(!pthread_create(&thread, NULL, write_in_view, NULL));
	EVENTUALLY(atomic_load(&progress) == 1000);
	CHECK(!pthread_join(thread, NULL));
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(code[PAGE + 100 + i], 1);
	expect(1, OLD, OLD);
	stub_write(code + PAGE, 71);
	expect(1, 71, 71);
	neighbours_stay();
	return 0;
}

static int advise(enum code_kind kind)
{
	setup(kind);
	if (kind == CODE_FILE) {
		CHECK(!madvise(code, 3 * PAGE, MADV_DONTNEED));
		for (int i = 0; i < 3; i++)
			expect(i, 11 + i, OLD);
	}
	/* Not every kernel can do all of these; none may change what runs. */
	madvise(code, 3 * PAGE, MADV_PAGEOUT);
	for (int i = 0; i < 3; i++)
		expect(i, 11 + i, OLD);
	madvise(code, 3 * PAGE, MADV_COLD);
	madvise(code, 3 * PAGE, MADV_WILLNEED);
	madvise(code, 3 * PAGE, MADV_MERGEABLE);
	for (int i = 0; i < 3; i++)
		expect(i, 11 + i, OLD);
	return 0;
}

static int lock_all(enum code_kind kind)
{
	setup(kind);
	CHECK(!mlock(code, 3 * PAGE));
	for (int i = 0; i < 3; i++)
		expect(i, 11 + i, OLD);
	CHECK(!munlock(code, 3 * PAGE));
	CHECK(!munmap(code, 3 * PAGE));
	expect(1, -SIGSEGV, -SIGSEGV);
	return 0;
}

/* fork makes the base's pages read-only, writes after it copy them. */
static int fork_and_write(enum code_kind kind)
{
	int status = 0;

	setup(kind);
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (!pid)
			_exit(code_call(code + PAGE));
		status = reap(pid);
		CHECK_EQ(status, 12);
		for (int page = 0; page < 3; page++)
			expect(page, 11 + page, OLD);
	}
	return 0;
}

#define BOTH(fn)							\
	static int fn##_anonymous(void) { return fn(CODE_ANON); }	\
	static int fn##_file(void) { return fn(CODE_FILE); }
BOTH(unmap)
BOTH(map_over)
BOTH(move_away)
BOTH(protect_none)
BOTH(protect_write_and_write)
BOTH(write_while_others_run)
BOTH(advise)
BOTH(lock_all)
BOTH(fork_and_write)
#define CASES(name, fn) { name " (anonymous)", fn##_anonymous }, { name " (file)", fn##_file }

int main(void)
{
	static const struct mmview_case cases[] = {
		CASES("munmap, then a new mapping", unmap),
		CASES("MAP_FIXED over an override", map_over),
		CASES("mremap of an overridden page", move_away),
		CASES("mprotect to PROT_NONE and back", protect_none),
		CASES("mprotect to writable, and a write", protect_write_and_write),
		CASES("writes by a thread in the view", write_while_others_run),
		CASES("madvise", advise),
		CASES("mlock, munlock, munmap", lock_all),
		CASES("fork, again and again", fork_and_write),
	};

	MMVIEW_MAIN(cases);
}
