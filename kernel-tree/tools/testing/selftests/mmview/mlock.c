// SPDX-License-Identifier: GPL-2.0
/*
 * Locked memory: a process that asked never to wait for a page does not begin
 * to because it runs in a view, and the account of what it has locked stays
 * right.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "knobs.h"

#define PAGES	128

static struct sides s;

static long major_faults(void)
{
	struct rusage usage;

	CHECK(!getrusage(RUSAGE_THREAD, &usage));
	return usage.ru_majflt;
}

static long long locked_kb(void)
{
	long long now = knob_field("/proc/self/status", "VmLck:");

	CHECK(now >= 0);
	return now;
}

static void use_everything(void)
{
	for (int i = 0; i < PAGES; i++)
		((volatile char *)s.data)[i * PAGE]++;
	sides_check(&s);
}

static int locked_ranges(void)
{
	long long before;
	long faults;

	s = sides_make(CODE_FILE, PAGES);
	before = locked_kb();
	CHECK(!mlock(s.data, PAGES * PAGE));
	CHECK(!mlock(s.code, PAGE));
	CHECK_EQ(locked_kb() - before, (PAGES + 1) * PAGE / 1024);
	faults = major_faults();
	use_everything();
	/* Neither of these takes a locked page away. */
	madvise(s.data, PAGES * PAGE, MADV_PAGEOUT);
	madvise(s.code, PAGE, MADV_PAGEOUT);
	use_everything();
	CHECK_EQ(major_faults(), faults);
	CHECK(!munlock(s.data, PAGES * PAGE));
	CHECK(!munlock(s.code, PAGE));
	CHECK_EQ(locked_kb(), before);
	use_everything();
	return 0;
}

/* As a real-time program does it: all of it, then a patch from outside. */
static int everything_locked(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	long long before;
	long faults;

	setrlimit(RLIMIT_MEMLOCK, &all);
	s = sides_make(CODE_ANON, PAGES);
	if (mlockall(MCL_CURRENT)) {
		CHECK(errno == ENOMEM || errno == EPERM);
		return case_skip("mlockall is not allowed");
	}
	before = locked_kb();
	close(s.view);
	s.view = view_of(getpid());
	view_patch(s.view, s.code, NEW);
	CHECK_EQ(sys_mmview_migrate(s.view, 0, 0), 1);
	CHECK_EQ(locked_kb(), before);
	faults = major_faults();
	use_everything();
	CHECK_EQ(major_faults(), faults);
	CHECK_EQ(smaps_field(s.data, "Locked:"), PAGES * PAGE / 1024);
	CHECK(!munlockall());
	CHECK_EQ(locked_kb(), 0);
	use_everything();
	return 0;
}

/* What is mapped after MCL_FUTURE is locked; so is an arena. */
static int arena_of_a_locked_process(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct mmview_map map = { .code_size = 4 * PAGE, .data_size = 4 * PAGE };
	unsigned char stub[STUB_SIZE];
	long long before;

	setrlimit(RLIMIT_MEMLOCK, &all);
	s = sides_make(CODE_FILE, PAGES);
	if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
		CHECK(errno == ENOMEM || errno == EPERM);
		return case_skip("mlockall is not allowed");
	}
	close(s.view);
	s.view = view_of(getpid());
	before = locked_kb();
	map.near_start = (uintptr_t)s.code;
	map.near_end = map.near_start + PAGE;
	CHECK(!ioctl(s.view, MMVIEW_IOC_MAP, &map));
	stub_write(stub, 3);
	CHECK_EQ(pwrite(s.view, stub, sizeof(stub), map.code_addr), sizeof(stub));
	CHECK_EQ(locked_kb() - before, 8 * PAGE / 1024);
	CHECK_EQ(smaps_field((void *)(uintptr_t)map.code_addr, "Locked:"), 4 * PAGE / 1024);
	CHECK_EQ(smaps_field((void *)(uintptr_t)map.data_addr, "Locked:"), 4 * PAGE / 1024);
	view_patch(s.view, s.code, NEW);
	CHECK_EQ(sys_mmview_migrate(s.view, 0, 0), 1);
	CHECK_EQ(code_call((void *)(uintptr_t)map.code_addr), 3);
	CHECK(!munmap((void *)(uintptr_t)map.code_addr, 8 * PAGE));
	CHECK_EQ(locked_kb(), before);
	return 0;
}

/* The fold copies a locked page of text: the copy is locked in its place. */
static int fold_of_locked_text(void)
{
	long long before;
	char *text;
	int view;

	text = code_map(CODE_FILE, 2);
	CHECK(!mlock(text, 2 * PAGE));
	before = locked_kb();
	view = view_of(getpid());
	view_patch(view, text, NEW);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
	CHECK_EQ(task_view(getpid(), sys_gettid()), 0);
	CHECK_EQ(code_call(text), NEW);
	CHECK_EQ(code_call(text + PAGE), OLD);
	CHECK_EQ(locked_kb(), before);
	CHECK_EQ(smaps_field(text, "Locked:"), 2 * PAGE / 1024);
	CHECK(!munmap(text, 2 * PAGE));
	CHECK_EQ(locked_kb(), before - 2 * (long long)PAGE / 1024);
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "mlock of data and overridden text", locked_ranges },
		{ "mlockall(MCL_CURRENT), then a view", everything_locked },
		{ "mlockall(MCL_FUTURE), then an arena", arena_of_a_locked_process },
		{ "fold of locked text", fold_of_locked_text },
	};

	MMVIEW_MAIN(cases);
}
