// SPDX-License-Identifier: GPL-2.0
/*
 * userfaultfd around an override: what is missing or write-protected is told
 * to the handler whichever side touches it, and not told where it need not be.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mmview_util.h"

#define PAGES	32
#define FILL	0x5500L		/* what the handler puts into page n is FILL + n */

#ifndef UFFDIO_MOVE
#define UFFDIO_MOVE	_IOWR(UFFDIO, 0x05, struct uffdio_move)
struct uffdio_move {
	__u64 dst, src, len, mode;
	__s64 move;
};
#endif

static struct sides s;
static int uffd;
static atomic_int missing[PAGES + 1], protected[PAGES];	/* faults told; [PAGES]: text */
static char text_page[PAGE];

static volatile long *data(int page)
{
	return (volatile long *)(s.data + page * PAGE);
}

static void fill_missing(char *at)
{
	static char page[PAGE] __attribute__((aligned(4096)));
	bool text = at == s.code;
	int nr = text ? PAGES : (at - s.data) / PAGE;
	struct uffdio_copy copy = { .dst = (uintptr_t)at, .src = (uintptr_t)page, .len = PAGE };

	CHECK(nr >= 0 && nr <= PAGES);
	atomic_fetch_add(&missing[nr], 1);
	if (text)
		memcpy(page, text_page, PAGE);
	else
		*(long *)page = FILL + nr;
	CHECK(!ioctl(uffd, UFFDIO_COPY, &copy) || errno == EEXIST);
}

static void protect(char *at, size_t pages, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)at, pages * PAGE },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	CHECK(!ioctl(uffd, UFFDIO_WRITEPROTECT, &wp));
}

static void *handler(void *arg)
{
	struct uffd_msg msg;

	for (;;) {
		CHECK_EQ(read(uffd, &msg, sizeof(msg)), sizeof(msg));
		CHECK_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
		char *at = (char *)(uintptr_t)(msg.arg.pagefault.address & ~(PAGE - 1));

		if (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
			atomic_fetch_add(&protected[(at - s.data) / PAGE], 1);
			protect(at, 1, false);
		} else {
			fill_missing(at);
		}
	}
	return arg;
}

static void watch(char *at, size_t pages, int mode)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)at, pages * PAGE },
		.mode = mode,
	};

	CHECK(!ioctl(uffd, UFFDIO_REGISTER, &reg));
}

/* False: this kernel has no userfaultfd. */
static bool start(enum code_kind kind)
{
	struct uffdio_api api = { .api = UFFD_API };
	pthread_t thread;

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 && errno == ENOSYS)
		return false;
	CHECK(uffd >= 0 && !ioctl(uffd, UFFDIO_API, &api));
	/* In the base: it is started before the view is entered. */
	CHECK(!pthread_create(&thread, NULL, handler, NULL));
	s = sides_make(kind, PAGES);
	return true;
}

static int missing_pages(void)
{
	if (!start(CODE_FILE))
		return case_skip("no userfaultfd");
	watch(s.data, PAGES, UFFDIO_REGISTER_MODE_MISSING);
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < PAGES; i++) {
			/* Either side may be first; the other finds the page there. */
			if (i % 2)
				CHECK_EQ(*data(i), FILL + i);
			CHECK_EQ(base_read(&s, (void *)data(i)), FILL + i);
			CHECK_EQ(*data(i), FILL + i);
			*data(i) = i;
			CHECK_EQ(base_read(&s, (void *)data(i)), i);
			CHECK_EQ(atomic_load(&missing[i]), round);
		}
		CHECK(!madvise(s.data, PAGES * PAGE, MADV_DONTNEED));
	}
	sides_check(&s);
	return 0;
}

/* A system call of a thread in the view touches what is missing. */
static int missing_in_a_system_call(void)
{
	long value = 77;
	int ends[2];

	if (!start(CODE_ANON))
		return case_skip("no userfaultfd");
	CHECK(!pipe(ends));
	watch(s.data, PAGES, UFFDIO_REGISTER_MODE_MISSING);
	CHECK_EQ(write(ends[1], (void *)data(1), 8), 8);
	CHECK_EQ(read(ends[0], &value, 8), 8);
	CHECK_EQ(value, FILL + 1);
	CHECK_EQ(write(ends[1], &value, 8), 8);
	CHECK_EQ(read(ends[0], (void *)(data(2) + 1), 8), 8);
	CHECK_EQ(*data(2), FILL + 2);
	CHECK_EQ(data(2)[1], FILL + 1);
	CHECK(atomic_load(&missing[1]) == 1 && atomic_load(&missing[2]) == 1);
	return 0;
}

/* The overridden page itself goes missing in the base. */
static int missing_text(void)
{
	if (!start(CODE_ANON))
		return case_skip("no userfaultfd");
	memcpy(text_page, s.code, PAGE);
	stub_write(text_page, OLD);
	watch(s.code, 1, UFFDIO_REGISTER_MODE_MISSING);
	for (int round = 1; round <= 3; round++) {
		CHECK(!madvise(s.code, PAGE, MADV_DONTNEED));
		if (round % 2)
			CHECK_EQ(code_call(s.code), NEW);
		CHECK_EQ(base_code(&s), OLD);
		CHECK_EQ(code_call(s.code), NEW);
		CHECK_EQ(atomic_load(&missing[PAGES]), round);
	}
	return 0;
}

static int write_protected_pages(void)
{
	if (!start(CODE_FILE))
		return case_skip("no userfaultfd");
	watch(s.data, PAGES, UFFDIO_REGISTER_MODE_WP);
	for (int i = 0; i < PAGES; i++)
		*data(i) = i;			/* mirrored, writable, dirty */
	for (int round = 1; round <= 3; round++) {
		protect(s.data, PAGES, true);
		for (int i = 0; i < PAGES; i++) {
			CHECK_EQ(*data(i), i);
			CHECK_EQ(atomic_load(&protected[i]), round - 1);
			if (i % 2)
				*data(i) = i;
			else
				base_write(&s, (void *)data(i), i);
			CHECK_EQ(atomic_load(&protected[i]), round);
			/* Once it is free it is so for both. */
			*data(i) = i;
			base_write(&s, (void *)data(i), i);
			CHECK_EQ(atomic_load(&protected[i]), round);
		}
	}
	sides_check(&s);
	return 0;
}

/* A page moves from one address in the zone to another. */
static int moved_pages(void)
{
	struct uffdio_move move = { .len = PAGE };

	if (!start(CODE_FILE))
		return case_skip("no userfaultfd");
	watch(s.data, PAGES, UFFDIO_REGISTER_MODE_MISSING);
	for (int i = 0; i < PAGES - 1; i++) {
		int before;

		CHECK_EQ(*data(i), i ? 1000 + i - 1 : FILL);
		before = atomic_load(&missing[i]);
		*data(i) = 1000 + i;
		move.src = (uintptr_t)data(i);
		move.dst = (uintptr_t)data(i + 1);
		if (ioctl(uffd, UFFDIO_MOVE, &move)) {
			CHECK(errno == EINVAL && !i);
			return case_skip("no UFFDIO_MOVE");
		}
		CHECK_EQ(*data(i + 1), 1000 + i);
		CHECK_EQ(base_read(&s, (void *)data(i + 1)), 1000 + i);
		/* Where it came from nothing is left, for neither. */
		CHECK_EQ(*data(i), FILL + i);
		CHECK_EQ(atomic_load(&missing[i]), before + 1);
	}
	sides_check(&s);
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "missing pages, touched from the view and from the base", missing_pages },
		{ "missing pages, touched by system calls", missing_in_a_system_call },
		{ "the overridden page goes missing", missing_text },
		{ "write-protected pages", write_protected_pages },
		{ "UFFDIO_MOVE from beside an override to beside it", moved_pages },
	};

	MMVIEW_MAIN(cases);
}
