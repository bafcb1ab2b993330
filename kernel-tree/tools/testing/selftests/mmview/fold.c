// SPDX-License-Identifier: GPL-2.0
/*
 * Fold: once every thread runs in the view, the base gets its text and the
 * view goes; nobody notices.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote.h"

/* What the base holds, as a debugger would read it. */
static int base_value(pid_t pid, const void *code)
{
	unsigned char stub[STUB_SIZE];
	char path[32];
	int fd, value;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, stub, sizeof(stub), (off_t)(uintptr_t)code), sizeof(stub));
	close(fd);
	memcpy(&value, stub + 1, 4);
	return value;
}

static int fold_oneself(enum code_kind kind)
{
	int before = views_alive(), view;
	char *code = code_map(kind, 3);

	for (int generation = 0; generation < 3; generation++) {
		int old = generation ? 30 + generation - 1 : OLD;

		view = view_of(getpid());
		view_patch(view, code + PAGE, 30 + generation);
		view_patch(view, code + 2 * PAGE - 3, 40 + generation);
		CHECK_EQ(base_value(getpid(), code + PAGE), old);
		CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
		CHECK_EQ(code_call(code + PAGE), 30 + generation);
		CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
		CHECK_EQ(task_view(getpid(), sys_gettid()), 0);
		CHECK(view_state(view, NULL, 0).flags & MMVIEW_STATE_FOLDED);
		CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
		CHECK_ERR(sys_mmview_migrate(view, 0, 0), EBUSY);
		CHECK_EQ(base_value(getpid(), code + PAGE), 30 + generation);
		CHECK_EQ(code_call(code + PAGE), 30 + generation);
		CHECK_EQ(code_call(code + 2 * PAGE - 3), 40 + generation);
		CHECK_EQ(code_call(code), OLD);
		CHECK(!close(view));
		if (before >= 0)
			EVENTUALLY(views_alive() == before);
		CHECK_EQ(code_call(code + PAGE), 30 + generation);
	}
	/* Still a private, unwritable mapping like any other. */
	CHECK(!munmap(code, 3 * PAGE));
	return 0;
}

static int fold_anonymous(void)
{
	return fold_oneself(CODE_ANON);
}

static int fold_file(void)
{
	return fold_oneself(CODE_FILE);
}

/* The file behind the text is not written. */
static int the_file_stays(void)
{
	int fd = memfd_create("mmview-fold", MFD_CLOEXEC), view;
	unsigned char stub[PAGE] = { 0 };
	char *code;

	stub_write(stub, OLD);
	CHECK(fd >= 0 && write(fd, stub, PAGE) == PAGE);
	code = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	CHECK(code != MAP_FAILED);
	view = view_of(getpid());
	view_patch(view, code, NEW);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
	CHECK_EQ(code_call(code), NEW);
	CHECK_EQ(pread(fd, stub, PAGE, 0), PAGE);
	CHECK_EQ(stub[1], OLD);
	return 0;
}

/* --- many threads, the process going on all the while ---------------------- */

struct crowd {
	char *code;
	atomic_int stop, seen_new, there;
	atomic_long calls[8];
	int tid[8];
};

static struct crowd crowd;

/* Text never goes back: once new, always new, through the fold as well. */
static void *watch_the_text(void *arg)
{
	long me = (long)arg, last = OLD;
	char *page = aligned_alloc(PAGE, PAGE);

	CHECK(page);
	crowd.tid[me] = sys_gettid();
	atomic_fetch_add(&crowd.there, 1);
	for (long i = 0; !atomic_load(&crowd.stop); i++) {
		int value = code_call(crowd.code);

		CHECK(value == OLD || value == NEW);
		CHECK_MSG(value >= last, "thread %ld went back to the old text", me);
		if (value != last)
			atomic_fetch_add(&crowd.seen_new, 1);
		last = value;
		memset(page, (int)i, PAGE);
		for (int at = 0; at < (int)PAGE; at += 512)
			CHECK_EQ((unsigned char)page[at], (unsigned char)i);
		if (i % 64 == 63)
			CHECK(!madvise(page, PAGE, MADV_DONTNEED));
		atomic_fetch_add(&crowd.calls[me], 1);
	}
	free(page);
	return NULL;
}

static int fold_a_crowd(void)
{
	pthread_t thread[8];
	long calls[8];
	int view;

	crowd.code = code_map(CODE_FILE, 1);
	view = view_of(getpid());
	view_patch(view, crowd.code, NEW);
	for (long i = 0; i < 8; i++)
		CHECK(!pthread_create(&thread[i], NULL, watch_the_text, (void *)i));
	EVENTUALLY(atomic_load(&crowd.there) == 8);
	for (int i = 0; i < 8; i++) {
		CHECK(sys_mmview_migrate(view, crowd.tid[i], 0) >= 0);
		CHECK_ERR(ioctl(view, MMVIEW_IOC_FOLD), EBUSY);
	}
	EVENTUALLY(atomic_load(&crowd.seen_new) == 8);
	CHECK_EQ(code_call(crowd.code), OLD);
	CHECK_ERR(ioctl(view, MMVIEW_IOC_FOLD), EBUSY);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	CHECK(view_state(view, NULL, 0).flags & MMVIEW_STATE_COMPLETE);
	CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(task_view(getpid(), crowd.tid[i]), 0);
		calls[i] = atomic_load(&crowd.calls[i]);
	}
	for (int i = 0; i < 8; i++)
		EVENTUALLY(atomic_load(&crowd.calls[i]) > calls[i] + 10);
	CHECK_EQ(base_value(getpid(), crowd.code), NEW);
	CHECK(!close(view));
	atomic_store(&crowd.stop, 1);
	for (int i = 0; i < 8; i++)
		CHECK(!pthread_join(thread[i], NULL));
	return 0;
}

/* --- another process, with one thread blocked ------------------------------ */

static struct target *whole;

static void *block_then_call(void *arg)
{
	struct member *m = arg;
	char byte;

	target_enter(m);
	atomic_store(&m->inside, 1);
	atomic_store(&m->result, read(whole->pipe[0], &byte, 1));
	target_call_until_stop(whole, m);
	return NULL;
}

static int spin_and_block(void *arg)
{
	struct target *t = whole = arg;
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, block_then_call, &t->member[1]));
	target_enter(&t->member[0]);
	atomic_store(&t->member[0].inside, 1);
	target_call_until_stop(t, &t->member[0]);
	CHECK(!pthread_join(thread, NULL));
	return 0;
}

static int fold_another_process(void)
{
	struct target *t = target_start(code_map(CODE_FILE, 1), spin_and_block, 0);
	struct pollfd complete = { .fd = t->view, .events = POLLIN };
	struct mmview_map map = { (uintptr_t)t->code, (uintptr_t)t->code + PAGE, PAGE, PAGE, 0, 0 };
	unsigned char jump[5] = { 0xe9 };
	int32_t distance;

	target_wait_inside(t, 2);
	CHECK(!ioctl(t->view, MMVIEW_IOC_MAP, &map));
	view_patch(t->view, (void *)(uintptr_t)map.code_addr, NEW);
	distance = map.code_addr - ((uintptr_t)t->code + sizeof(jump));
	memcpy(jump + 1, &distance, 4);
	CHECK_EQ(pwrite(t->view, jump, sizeof(jump), (off_t)(uintptr_t)t->code), sizeof(jump));
	CHECK(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL) >= 0);
	CHECK_EQ(poll(&complete, 1, SOON * 1000), 1);
	CHECK(!ioctl(t->view, MMVIEW_IOC_FOLD));
	CHECK(view_state(t->view, NULL, 0).flags & MMVIEW_STATE_FOLDED);
	CHECK_EQ(task_view(t->pid, t->pid), 0);
	CHECK_EQ(task_view(t->pid, atomic_load(&t->member[1].tid)), 0);
	CHECK(!close(t->view));
	CHECK_EQ(base_value(t->pid, (void *)(uintptr_t)map.code_addr), NEW);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	CHECK_EQ(write(t->pipe[1], "x", 1), 1);
	EVENTUALLY(atomic_load(&t->member[1].last) == NEW);
	CHECK_EQ(atomic_load(&t->member[1].result), 1);
	target_end(t);
	return 0;
}

/* --- who else shares the address space ------------------------------------- */

static char *shared_code;
static atomic_int *may_go;

static int share_in_base(void *arg)
{
	(void)arg;
	while (!atomic_load(may_go))
		sched_yield();
	return code_call(shared_code);
}

static int process_that_shares_the_base(void)
{
	char *stack = aligned_alloc(PAGE, 16 * PAGE);
	int view, status;
	pid_t pid;

	CHECK(stack);
	may_go = shared_alloc(PAGE);
	shared_code = code_map(CODE_ANON, 1);
	view = view_of(getpid());
	view_patch(view, shared_code, NEW);
	pid = clone(share_in_base, stack + 16 * PAGE, CLONE_VM | SIGCHLD, NULL);
	CHECK(pid > 0);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	CHECK_ERR(ioctl(view, MMVIEW_IOC_FOLD), EBUSY);
	CHECK_EQ(code_call(shared_code), NEW);
	atomic_store(may_go, 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, OLD << 8);
	CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
	CHECK_EQ(code_call(shared_code), NEW);
	CHECK_EQ(task_view(getpid(), sys_gettid()), 0);
	return 0;
}

static int child_in_its_own_view(void *arg)
{
	(void)arg;
	while (!atomic_load(may_go))
		sleep_ms(1);
	CHECK(task_view(getpid(), sys_gettid()) != 0);
	return code_call(shared_code);
}

/* A child made by fork has a view of its own, which is not folded. */
static int child_is_not_folded(void)
{
	int view;
	pid_t pid;

	may_go = shared_alloc(PAGE);
	shared_code = code_map(CODE_FILE, 1);
	view = view_of(getpid());
	view_patch(view, shared_code, NEW);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	pid = spawn(child_in_its_own_view, NULL);
	CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
	CHECK_EQ(base_value(getpid(), shared_code), NEW);
	CHECK(task_view(pid, pid) != 0);
	atomic_store(may_go, 1);
	CHECK_EQ(reap(pid), NEW);
	return 0;
}

/* An override that is gone does not come back with the fold. */
static int unmapped_before_the_fold(void)
{
	char *code = code_map(CODE_ANON, 2);
	int view = view_of(getpid());

	view_patch(view, code, 50);
	view_patch(view, code + PAGE, 51);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	CHECK(!munmap(code, PAGE));
	code_map_at(code, CODE_ANON, 1);
	CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
	CHECK_EQ(code_call(code), OLD);
	CHECK_EQ(code_call(code + PAGE), 51);
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "three generations, anonymous text", fold_anonymous },
		{ "three generations, file text", fold_file },
		{ "the file behind the text stays", the_file_stays },
		{ "a crowd of threads at work; EBUSY before", fold_a_crowd },
		{ "another process, with an arena", fold_another_process },
		{ "a process that shares the base: EBUSY", process_that_shares_the_base },
		{ "a forked child keeps its own view", child_is_not_folded },
		{ "an override unmapped before the fold", unmapped_before_the_fold },
	};

	MMVIEW_MAIN(cases);
}
