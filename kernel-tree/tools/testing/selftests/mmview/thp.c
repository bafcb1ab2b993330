// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages around an override: in the base they come (at once, by
 * khugepaged, by MADV_COLLAPSE) and go (split by hand, by mprotect, by
 * MADV_DONTNEED); in the view the 2 MiB around the override stay small pages
 * of the same memory.
 *
 *	thp [-d DIRECTORY]	for a file whose text becomes huge; /var/tmp
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "knobs.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define PAGES	(ZONE / PAGE)
#define TEXT	100			/* the overridden page's number */

static const char *directory = "/var/tmp";
static struct helper *base;
static char *zone;
static int view;

static long call_text(void *arg)
{
	(void)arg;
	return code_call(zone + TEXT * PAGE);
}

/* Word 1 of each page: its number and how often it was written. */
static volatile long *word(int page)
{
	return (volatile long *)(zone + page * PAGE) + 1;
}

static int version;

static long write_all(void *arg)
{
	(void)arg;
	for (int i = 0; i < (int)PAGES; i++)
		if (i != TEXT)
			*word(i) = i * 1000 + version;
	return 0;
}

static long check_all(void *arg)
{
	(void)arg;
	for (int i = 0; i < (int)PAGES; i++)
		if (i != TEXT)
			CHECK_EQ(*word(i), i * 1000 + version);
	return 0;
}

static void check_both(void)
{
	check_all(NULL);
	helper_call(base, check_all, NULL);
	CHECK_EQ(call_text(NULL), NEW);
	CHECK_EQ(helper_call(base, call_text, NULL), OLD);
}

/* One writes, the other looks; and the other way round. */
static void use_both(void)
{
	version++;
	write_all(NULL);
	check_both();
	version++;
	helper_call(base, write_all, NULL);
	check_both();
}

static bool is_huge(void)
{
	long long kb = smaps_field(zone, "AnonHugePages:");

	CHECK(kb == 0 || kb == ZONE / 1024);
	return kb;
}

static bool split(void)
{
	return knob_set("/sys/kernel/debug/split_huge_pages", "%d,0x%lx,0x%lx", getpid(),
			(unsigned long)zone, (unsigned long)zone + ZONE);
}

/*
 * 2 MiB of memory that can be executed and is then overridden at one page, as
 * text; afterwards it may be written as well, so that huge pages fit over it.
 * Without @huge it is small pages at first.
 */
static void make_zone(bool huge)
{
	zone = zones_reserve(1);
	base = helper_start();
	data_map_at(zone, PAGES);
	CHECK(!madvise(zone, ZONE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
	write_all(NULL);
	stub_write(zone + TEXT * PAGE, OLD);
	CHECK(!mprotect(zone, ZONE, PROT_READ | PROT_EXEC));
	view = view_of(getpid());
	view_patch(view, zone + TEXT * PAGE, NEW);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	check_both();
}

static void make_writable(void)
{
	CHECK(!mprotect(zone, ZONE, PROT_READ | PROT_WRITE | PROT_EXEC));
	use_both();
}

static int huge_from_the_start(void)
{
	make_zone(true);
	CHECK(is_huge());
	CHECK_EQ(helper_call(base, check_all, NULL), 0);
	make_writable();
	CHECK(is_huge());
	use_both();
	return 0;
}

static int split_by_hand(void)
{
	make_zone(true);
	make_writable();
	CHECK(is_huge());
	if (!split())
		return case_skip("no split_huge_pages in debugfs");
	CHECK(!is_huge());
	check_both();
	use_both();
	return 0;
}

static int split_by_mappings(void)
{
	make_zone(true);
	make_writable();
	CHECK(is_huge());
	/* One page read-only, and back. */
	CHECK(!mprotect(zone + 7 * PAGE, PAGE, PROT_READ));
	check_both();
	CHECK(!mprotect(zone + 7 * PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
	use_both();
	/* One page given back: zeros for both, at once. */
	CHECK(!madvise(zone + 8 * PAGE, PAGE, MADV_DONTNEED));
	CHECK_EQ(*word(8), 0);
	use_both();
	/* Half of it unmapped; what is mapped there then is new, and has no override. */
	CHECK(!munmap(zone, ZONE / 2));
	CHECK_EQ(*word(PAGES - 1), (PAGES - 1) * 1000 + version);
	data_map_at(zone, PAGES / 2);
	CHECK_EQ(*word(TEXT), 0);
	CHECK_EQ(*word(0), 0);
	return 0;
}

static int collapse_on_demand(void)
{
	make_zone(false);
	make_writable();
	CHECK(!is_huge());
	CHECK(!madvise(zone, ZONE, MADV_HUGEPAGE));
	for (int round = 0; round < 3; round++) {
		if (madvise(zone, ZONE, MADV_COLLAPSE)) {
			CHECK_MSG(errno == EAGAIN || errno == ENOMEM || errno == EBUSY,
				  "MADV_COLLAPSE");
			continue;
		}
		CHECK(is_huge());
		check_both();
		use_both();
		CHECK(!mprotect(zone + 9 * PAGE, PAGE, PROT_READ));
		CHECK(!mprotect(zone + 9 * PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
		use_both();
		CHECK(!is_huge());
	}
	return 0;
}

/* --- khugepaged, while both sides write ---------------------------------------- */

static atomic_int stop;

/* Each side has a word of its own in each page, and misses none of its writes. */
static long count_up(void *arg)
{
	int mine = arg ? 2 : 1, expected = arg ? OLD : NEW;
	long rounds = 0;

	while (!atomic_load(&stop)) {
		for (int i = 0; i < (int)PAGES; i++) {
			if (i == TEXT)
				continue;
			CHECK_EQ(word(i)[mine], rounds);
			word(i)[mine] = rounds + 1;
		}
		rounds++;
		CHECK_EQ(call_text(NULL), expected);
	}
	return rounds;
}

static void *count_up_in_view(void *arg)
{
	return (void *)(count_up(NULL) + 0 * (long)arg);
}

static void *split_what_is_huge(void *arg)
{
	long long end = now_ns() + 10 * 1000000000LL;
	int seen = 0;

	EVENTUALLY(is_huge());
	/* Again and again under the hands of both, as often as it goes. */
	while (seen < 10 && now_ns() < end) {
		if (is_huge() && ++seen && !split())
			break;
		sleep_ms(10);
	}
	printf("# khugepaged: seen collapsed %d times\n", seen);
	fflush(stdout);
	atomic_store(&stop, 1);
	return arg;
}

static int khugepaged(void)
{
	pthread_t writer, splitter;
	void *rounds;

	make_zone(false);
	make_writable();
	if (!knob_set(THP "khugepaged/scan_sleep_millisecs", "5") ||
	    !knob_set(THP "khugepaged/pages_to_scan", "4096"))
		return case_skip("khugepaged cannot be set up");
	CHECK(!madvise(zone, ZONE, MADV_HUGEPAGE));
	CHECK(!pthread_create(&splitter, NULL, split_what_is_huge, NULL));
	CHECK(!pthread_create(&writer, NULL, count_up_in_view, NULL));
	CHECK(helper_call(base, count_up, "base") > 0);
	CHECK(!pthread_join(writer, &rounds));
	CHECK((long)rounds > 0);
	CHECK(!pthread_join(splitter, NULL));
	check_both();
	return 0;
}

/* --- text of a file --------------------------------------------------------------- */

static int make_file(void)
{
	char path[256], page[PAGE];
	int fd;

	snprintf(path, sizeof(path), "%s/mmview-thp.XXXXXX", directory);
	fd = mkostemp(path, O_CLOEXEC);
	CHECK_MSG(fd >= 0, "no file in %s; choose another directory with -d", directory);
	memset(page, 0xcc, PAGE);
	for (int i = 0; i < (int)PAGES; i++) {
		stub_write(page, OLD + 10 * i);
		CHECK_EQ(write(fd, page, PAGE), PAGE);
	}
	CHECK(!fsync(fd) && !close(fd));
	/* Text becomes huge only if nobody has it open for writing. */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && !unlink(path));
	return fd;
}

static long check_text(void *arg)
{
	for (int i = 0; i < (int)PAGES; i++)
		CHECK_EQ(code_call(zone + i * PAGE), i == TEXT && !arg ? NEW : OLD + 10 * i);
	return 0;
}

static int child_with_text(void *arg)
{
	return check_text(arg);
}

static int file_text(void)
{
	bool huge = false;
	int fd = make_file();

	base = helper_start();
	zone = zones_reserve(1);
	CHECK(mmap(zone, ZONE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0) == zone);
	view = view_of(getpid());
	view_patch(view, zone + TEXT * PAGE, NEW);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	for (int round = 0; round < 4; round++) {
		check_text(NULL);
		helper_call(base, check_text, "base");
		if (madvise(zone, ZONE, MADV_COLLAPSE) && errno == EINVAL)
			return case_skip("no huge pages of this file system's files");
		helper_call(base, check_text, "base");
		check_text(NULL);
		huge |= smaps_field(zone, "FilePmdMapped:") || smaps_field(zone, "ShmemPmdMapped:");
		check_text(NULL);
		if (round == 2)
			split();
		else
			CHECK(!madvise(zone, ZONE, MADV_DONTNEED));
	}
	CHECK_MSG(huge, "the text has not become huge once");
	CHECK_EQ(reap(spawn(child_with_text, NULL)), 0);
	check_text(NULL);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct mmview_case cases[] = {
		{ "huge from the start", huge_from_the_start },
		{ "split by hand", split_by_hand },
		{ "split by mprotect, madvise and munmap", split_by_mappings },
		{ "MADV_COLLAPSE", collapse_on_demand },
		{ "khugepaged collapses it while both sides write", khugepaged },
		{ "a file's text", file_text },
	};

	if (argc == 3 && !strcmp(argv[1], "-d"))
		directory = argv[2];
	if (knob_keep(THP "enabled"))
		knob_set(THP "enabled", "always");
	knob_keep(THP "khugepaged/scan_sleep_millisecs");
	knob_keep(THP "khugepaged/pages_to_scan");
	MMVIEW_MAIN(cases);
}
