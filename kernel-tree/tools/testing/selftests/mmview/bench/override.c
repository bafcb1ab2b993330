// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to write one page of text: into a view, where nobody runs it
 * yet, and into the process as a debugger does, through /proc/PID/mem. Both
 * copy the page. The first page of a zone (2 MiB) gets page tables as well.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define ZONES	16
#define PAGES	64		/* the others, all in one zone */

static char *text, bytes[PAGE];

/* Text that nobody has written to: the page cache's pages. */
static void *map_text(void)
{
	char *at = mmap(NULL, (ZONES + 1) * ZONE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t first = ((uintptr_t)at + ZONE - 1) & ~(ZONE - 1);
	int fd = memfd_create("text", MFD_CLOEXEC);
	char *map;

	CHECK(at != MAP_FAILED && fd >= 0 && !ftruncate(fd, ZONES * ZONE));
	map = mmap((void *)first, ZONES * ZONE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd,
		   0);
	CHECK(map != MAP_FAILED);
	for (int i = 0; i < ZONES; i++)
		for (int j = 0; j <= PAGES; j++)
			CHECK_EQ(pwrite(fd, bytes, PAGE, i * ZONE + j * PAGE), PAGE);
	close(fd);
	/* In the page tables already, as running text is. */
	CHECK(!madvise(map, ZONES * ZONE, MADV_POPULATE_READ));
	return map;
}

static double write_us(int fd, char *first, unsigned long step, int nr)
{
	double us[PAGES];

	for (int i = 0; i < nr; i++) {
		off_t at = (off_t)(uintptr_t)first + i * step;
		long long begin = now_ns();

		CHECK_EQ(pwrite(fd, bytes, PAGE, at), PAGE);
		us[i] = (now_ns() - begin) / 1e3;
	}
	return bench_best(us, nr);
}

static double view_first(const struct bench_case *c)
{
	int view = view_of(getpid());
	double us = write_us(view, text, ZONE, ZONES);

	(void)c;
	close(view);
	bench_views_gone();
	return us;
}

static double view_next(const struct bench_case *c)
{
	int view = view_of(getpid());
	double us;

	(void)c;
	CHECK_EQ(pwrite(view, bytes, PAGE, (off_t)(uintptr_t)text), PAGE);
	us = write_us(view, text + PAGE, PAGE, PAGES);
	close(view);
	bench_views_gone();
	return us;
}

/* Seal: what the base maps around the override is mirrored ahead of time. */
static double seal(const struct bench_case *c)
{
	int view = view_of(getpid());
	long long begin;
	double us;

	(void)c;
	CHECK_EQ(pwrite(view, bytes, PAGE, (off_t)(uintptr_t)text), PAGE);
	begin = now_ns();
	CHECK(!ioctl(view, MMVIEW_IOC_SEAL));
	us = (now_ns() - begin) / 1e3;
	close(view);
	bench_views_gone();
	return us;
}

/* The private copy, thrown away afterwards, is one page of memory as well. */
static double debugger(const struct bench_case *c)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	double us;

	(void)c;
	CHECK(fd >= 0);
	us = write_us(fd, text + PAGE, PAGE, PAGES);
	close(fd);
	CHECK(!madvise(text, ZONE, MADV_DONTNEED));
	CHECK(!madvise(text, ZONE, MADV_POPULATE_READ));
	return us;
}

int main(int argc, char **argv)
{
	static const struct bench_case cases[] = {
		{ "pwrite/first-page-of-zone", "us", "pwrite/proc-mem", view_first, NULL, 0 },
		{ "pwrite/next-page", "us", "pwrite/proc-mem", view_next, NULL, 0 },
		{ "seal/one-zone", "us", "pwrite/proc-mem", seal, NULL, 0 },
		{ "pwrite/proc-mem", "us", NULL, debugger, NULL, 0 },
	};
	unsigned int runs = bench_runs(argc, argv);

	text = map_text();
	view_first(&cases[0]);
	debugger(&cases[2]);
	BENCH_TURNS(cases, runs);
	return 0;
}
