// SPDX-License-Identifier: GPL-2.0
/*
 * Everything that takes memory for a view, each from a state of its own: how
 * it is prepared, done, and seen to have worked.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nomem.h"

#define BESIDE	200		/* in the page at code, far from what is overridden */
#define MARK	0x47

/* What an operation works on, made anew for each try. */
static struct {
	char *code;			/* two pages, far from each other */
	char *far;
	int pidfd, view;
	struct helper *other;		/* a thread that sleeps, in the base */
	pid_t other_tid;
	unsigned char stub[STUB_SIZE];
	struct mmview_map map;
	struct mmview_range range;
	struct mmview_guard guard;
	struct mmview_thread threads[4];
	struct mmview_state state;
	int memory;			/* /proc/self/mem */
	int release[2];			/* a pipe that a child waits at */
	pid_t child;
} try;

/* ------------------------------------------------------------------------
 * What can be seen
 */

static long byte_beside(void *arg)
{
	(void)arg;
	return *(volatile unsigned char *)(try.code + BESIDE);
}

void look(struct sight *sight)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	struct mmview_state state;
	unsigned char byte;
	size_t n = 0;
	ssize_t got;

	memset(sight, 0, sizeof(*sight));
	CHECK(fd >= 0);
	while ((got = read(fd, sight->maps + n, sizeof(sight->maps) - 1 - n)) > 0)
		n += got;
	close(fd);
	sight->mine = task_view(getpid(), sys_gettid());
	sight->others = task_view(getpid(), try.other_tid);
	sight->views = views_alive();
	sight->beside_in_base = helper_call(try.other, byte_beside, NULL);
	if (try.view < 0)
		return;
	state = view_state(try.view, NULL, 0);
	sight->overrides = state.overrides;
	sight->flags = state.flags;
	sight->value = view_value(try.view, try.code);
	sight->far_value = view_value(try.view, try.far);
	CHECK_EQ(pread(try.view, &byte, 1, (off_t)(uintptr_t)(try.code + BESIDE)), 1);
	sight->beside = byte;
}

/* Views are freed a little later than they are given up. */
void expect_same(const struct sight *before)
{
	static struct sight now;

	EVENTUALLY(views_alive() == before->views);
	look(&now);
	CHECK_MSG(!strcmp(now.maps, before->maps), "the mappings differ, before:\n%safter:\n%s",
		  before->maps, now.maps);
	CHECK_EQ(now.overrides, before->overrides);
	CHECK_EQ(now.flags, before->flags);
	CHECK_EQ(now.value, before->value);
	CHECK_EQ(now.far_value, before->far_value);
	CHECK_EQ(now.beside, before->beside);
	CHECK_EQ(now.beside_in_base, before->beside_in_base);
	CHECK_EQ(now.mine, before->mine);
	CHECK_EQ(now.others, before->others);
}

/* ------------------------------------------------------------------------
 * States to begin with
 */

static long tid_of_other(void *arg)
{
	(void)arg;
	return sys_gettid();
}

static void with_threads(void)
{
	try.code = code_map(CODE_FILE, 1);
	try.far = code_map_at(zones_reserve(1), CODE_ANON, 1);
	try.pidfd = sys_pidfd_open(getpid());
	try.view = -1;
	try.other = helper_start();
	try.other_tid = helper_call(try.other, tid_of_other, NULL);
	stub_write(try.stub, NEW);
}

static void with_view(void)
{
	with_threads();
	try.view = sys_mmview_clone(try.pidfd, 0);
	CHECK(try.view >= 0);
}

static void with_overrides(void)
{
	with_view();
	view_patch(try.view, try.code, NEW);
	view_patch(try.view, try.far, NEW);
}

static void in_view(void)
{
	struct mmview_range range = { (uintptr_t)try.far, (uintptr_t)try.far + 1,
				      MMVIEW_GUARD_BODY, 0 };
	struct mmview_guard guard = { (uintptr_t)&range, 1, 0 };

	with_overrides();
	range.start = (uintptr_t)try.far;
	range.end = range.start + 1;
	CHECK(!ioctl(try.view, MMVIEW_IOC_GUARD, &guard));
	CHECK_EQ(sys_mmview_migrate(try.view, 0, 0), 1);
}

static long other_migrates(void *arg)
{
	(void)arg;
	return sys_mmview_migrate(try.view, 0, 0);
}

static void all_in_view(void)
{
	in_view();
	CHECK_EQ(helper_call(try.other, other_migrates, NULL), 1);
	CHECK(view_state(try.view, NULL, 0).flags & MMVIEW_STATE_COMPLETE);
}

/* Until it is told: the byte is what it was when the child was born. */
static int wait_and_look(void *arg)
{
	char byte;

	(void)arg;
	CHECK_EQ(read(try.release[0], &byte, 1), 1);
	CHECK_EQ(byte_beside(NULL), 0xcc);
	CHECK_EQ(code_call(try.code), NEW);
	return 47;
}

/* The overrides are the child's as well: who writes to one has to copy it. */
static void in_view_with_child(void)
{
	in_view();
	CHECK(!pipe(try.release));
	try.memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	CHECK(try.memory >= 0);
	try.child = spawn(wait_and_look, NULL);
}

/* ------------------------------------------------------------------------
 * The operations, and what has come of them
 */

static long do_clone(void)
{
	return sys_mmview_clone(try.pidfd, 0);
}

static void cloned(long result)
{
	CHECK_EQ(view_value(result, try.code), OLD);
	view_patch(result, try.code, NEW);
}

static long do_clone_newest(void)
{
	return sys_mmview_clone(try.pidfd, MMVIEW_CLONE_NEWEST);
}

static void cloned_newest(long result)
{
	CHECK_EQ(view_value(result, try.code), NEW);
	CHECK_EQ(view_value(result, try.far), NEW);
	CHECK_EQ(sys_mmview_migrate(result, 0, 0), 1);
	CHECK_EQ(code_call(try.code), NEW);
}

static long do_map(void)
{
	try.map = (struct mmview_map){
		.near_start = (uintptr_t)try.code,
		.near_end = (uintptr_t)try.code + PAGE,
		.code_size = 4 * PAGE,
		.data_size = 2 * PAGE,
	};
	return ioctl(try.view, MMVIEW_IOC_MAP, &try.map);
}

static void mapped(long result)
{
	CHECK_EQ(result, 0);
	CHECK_EQ(pwrite(try.view, try.stub, STUB_SIZE, try.map.code_addr), STUB_SIZE);
	CHECK_EQ(code_call((void *)(uintptr_t)try.map.code_addr), NEW);
	*(volatile long *)(uintptr_t)try.map.data_addr = 1;
}

/* Memory that is locked is filled at once, and may run out in the middle. */
static void with_view_locked(void)
{
	with_view();
	CHECK(!mlockall(MCL_FUTURE));
}

static void with_arena(void)
{
	with_view();
	CHECK_EQ(do_map(), 0);
}

static long do_write_arena(void)
{
	return pwrite(try.view, try.stub, STUB_SIZE, try.map.code_addr);
}

static void written_arena(long result)
{
	CHECK_EQ(result, STUB_SIZE);
	CHECK_EQ(code_call((void *)(uintptr_t)try.map.code_addr), NEW);
}

static long do_override(void)
{
	return pwrite(try.view, try.stub, STUB_SIZE, (off_t)(uintptr_t)try.code);
}

static void overridden(long result)
{
	CHECK_EQ(result, STUB_SIZE);
	CHECK_EQ(view_value(try.view, try.code), NEW);
	CHECK_EQ(code_call(try.code), OLD);
	CHECK_EQ(sys_mmview_migrate(try.view, 0, 0), 1);
	CHECK_EQ(code_call(try.code), NEW);
}

/* A page that the view has by reference from the one before it. */
static void with_next_generation(void)
{
	in_view();
	try.view = do_clone_newest();
	CHECK(try.view >= 0);
}

static long do_override_again(void)
{
	stub_write(try.stub, 3);
	return pwrite(try.view, try.stub, STUB_SIZE, (off_t)(uintptr_t)try.code);
}

static void overridden_again(long result)
{
	CHECK_EQ(result, STUB_SIZE);
	CHECK_EQ(view_value(try.view, try.code), 3);
	CHECK_EQ(code_call(try.code), NEW);
}

static long do_guard(void)
{
	try.range = (struct mmview_range){ (uintptr_t)try.far, (uintptr_t)try.far + 1,
					   MMVIEW_GUARD_BODY, 0 };
	try.guard = (struct mmview_guard){ (uintptr_t)&try.range, 1, 0 };
	return ioctl(try.view, MMVIEW_IOC_GUARD, &try.guard);
}

static void ok(long result)
{
	CHECK_EQ(result, 0);
}

static long do_seal(void)
{
	return ioctl(try.view, MMVIEW_IOC_SEAL);
}

static long do_migrate_self(void)
{
	return sys_mmview_migrate(try.view, 0, 0);
}

static void self_migrated(long result)
{
	CHECK_EQ(result, 1);
	CHECK_EQ(code_call(try.code), NEW);
	CHECK_EQ(code_call(try.far), NEW);
}

static long do_migrate_other(void)
{
	return sys_mmview_migrate(try.view, try.other_tid, 0);
}

static void other_migrated(long result)
{
	CHECK(result >= 0);
	EVENTUALLY(view_thread(try.view, try.other_tid).migrated);
	CHECK_EQ(code_call(try.code), OLD);
}

static long do_migrate_all(void)
{
	return sys_mmview_migrate(try.view, getpid(), MMVIEW_MIGRATE_ALL);
}

static void all_migrated(long result)
{
	CHECK(result >= 0);
	EVENTUALLY(view_state(try.view, NULL, 0).flags & MMVIEW_STATE_COMPLETE);
	CHECK_EQ(code_call(try.code), NEW);
}

static long do_state(void)
{
	try.state = (struct mmview_state){ .threads = (uintptr_t)try.threads, .nr = 4 };
	return ioctl(try.view, MMVIEW_IOC_STATE, &try.state);
}

static void stated(long result)
{
	CHECK_EQ(result, 0);
	CHECK_EQ(try.state.nr, 2);
	CHECK_EQ(try.state.migrated, 1);
}

static long do_read(void)
{
	return pread(try.view, try.stub, STUB_SIZE, (off_t)(uintptr_t)try.far);
}

static void was_read(long result)
{
	CHECK_EQ(result, STUB_SIZE);
}

static long do_fold(void)
{
	return ioctl(try.view, MMVIEW_IOC_FOLD);
}

/* A view that is new shows the base: nothing may be half there. */
static void not_folded(void)
{
	int fresh = sys_mmview_clone(try.pidfd, 0);

	CHECK(fresh >= 0);
	CHECK_EQ(view_value(fresh, try.code), OLD);
	CHECK_EQ(view_value(fresh, try.far), OLD);
	CHECK(!close(fresh));
	CHECK_EQ(code_call(try.code), NEW);
}

static void folded(long result)
{
	CHECK_EQ(result, 0);
	CHECK_EQ(task_view(getpid(), sys_gettid()), 0);
	CHECK_EQ(code_call(try.code), NEW);
	CHECK_EQ(code_call(try.far), NEW);
}

static long do_fork(void)
{
	try.child = fork();
	if (!try.child)
		_exit(code_call(try.code) == NEW && code_call(try.far) == NEW ? 47 : 1);
	return try.child;
}

static void forked(long result)
{
	CHECK(result > 0);
	CHECK_EQ(reap(result), 47);
	CHECK_EQ(code_call(try.code), NEW);
}

/* As a debugger would; the byte is the base's, and surrounds an override. */
static long do_debug(void)
{
	static const unsigned char mark = MARK;

	return pwrite(try.memory, &mark, 1, (off_t)(uintptr_t)(try.code + BESIDE));
}

static void debugged(long result)
{
	CHECK_EQ(result, 1);
	CHECK_EQ(byte_beside(NULL), MARK);
	CHECK_EQ(helper_call(try.other, byte_beside, NULL), MARK);
	CHECK_EQ(write(try.release[1], "", 1), 1);
	CHECK_EQ(reap(try.child), 47);
}

const struct op ops[] = {
	{ "clone", with_threads, do_clone, cloned, NULL, 0 },
	{ "clone of the newest", in_view, do_clone_newest, cloned_newest, NULL, 0 },
	{ "MAP", with_view, do_map, mapped, NULL, 0 },
	{ "MAP of locked memory", with_view_locked, do_map, mapped, NULL, 0 },
	{ "write to the arena", with_arena, do_write_arena, written_arena, NULL, 0 },
	{ "override", with_view, do_override, overridden, NULL, 0 },
	{ "override what is inherited", with_next_generation, do_override_again,
	  overridden_again, NULL, 0 },
	{ "read", in_view, do_read, was_read, NULL, 0 },
	{ "GUARD", with_view, do_guard, ok, NULL, 0 },
	{ "SEAL", with_overrides, do_seal, ok, NULL, 0 },
	{ "migrate oneself", with_overrides, do_migrate_self, self_migrated, NULL, 0 },
	{ "migrate a thread", with_overrides, do_migrate_other, other_migrated, NULL, 0 },
	{ "migrate all", with_overrides, do_migrate_all, all_migrated, NULL, 0 },
	{ "STATE", in_view, do_state, stated, NULL, 0 },
	{ "FOLD", all_in_view, do_fold, folded, not_folded, 0 },
	{ "fork", in_view, do_fork, forked, NULL, EAGAIN },
	{ "a debugger's write", in_view_with_child, do_debug, debugged, NULL, EIO },
};

const unsigned int nr_ops = sizeof(ops) / sizeof(ops[0]);
