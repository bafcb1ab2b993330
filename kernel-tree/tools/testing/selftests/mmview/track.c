// SPDX-License-Identifier: GPL-2.0
/*
 * Who asks the kernel what was touched sees what views touch: soft-dirty bits,
 * idle pages, Referenced in smaps.
 *
 * All of these clear a bit in the base's page table and look whether it is set
 * again. A view's mirror of the entry must not swallow the answer.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "knobs.h"

#define PAGES	64

static struct sides s;

static volatile long *data(int page)
{
	return (volatile long *)(s.data + page * PAGE);
}

static void populate(void)
{
	s = sides_make(CODE_FILE, PAGES);
	for (int i = 0; i < PAGES; i++)
		*data(i) = i;			/* mirrored, writable, dirty */
}

/* Accessed bits are cleared without a flush: what a CPU remembers, it does not set again. */
static void forget_translations(void)
{
	static char *spare;

	if (!spare)
		spare = data_map_at(NULL, PAGES);
	for (int i = 0; i < PAGES; i++)
		spare[i * PAGE] = 1;
	CHECK(!madvise(spare, PAGES * PAGE, MADV_DONTNEED));
}

static bool soft_dirty(int page)
{
	return pagemap_entry((void *)data(page)) & PAGEMAP_SOFT_DIRTY;
}

static int soft_dirty_bits(void)
{
	populate();
	if (!soft_dirty(0))
		return case_skip("no CONFIG_MEM_SOFT_DIRTY");
	for (int round = 0; round < 5; round++) {
		CHECK(knob_set("/proc/self/clear_refs", "4"));
		for (int i = 0; i < PAGES; i++) {
			CHECK(!soft_dirty(i));
			CHECK_EQ(*data(i), i);
			CHECK(!soft_dirty(i));
			if (i % 3 == 1)
				*data(i) = i;
			if (i % 3 == 2)
				base_write(&s, (void *)data(i), i);
		}
		for (int i = 0; i < PAGES; i++)
			CHECK_MSG(soft_dirty(i) == (i % 3 != 0), "round %d page %d", round, i);
	}
	return 0;
}

/* The kernel writes for a thread in the view: read(2) into the page. */
static int soft_dirty_by_system_call(void)
{
	int ends[2];

	CHECK(!pipe(ends));
	populate();
	if (!soft_dirty(0))
		return case_skip("no CONFIG_MEM_SOFT_DIRTY");
	CHECK_EQ(write(ends[1], (void *)data(5), 8), 8);
	CHECK(knob_set("/proc/self/clear_refs", "4"));
	CHECK(!soft_dirty(7));
	CHECK_EQ(read(ends[0], (void *)data(7), 8), 8);
	CHECK_EQ(*data(7), 5);
	CHECK(soft_dirty(7) && !soft_dirty(5));
	return 0;
}

static int referenced_in_smaps(void)
{
	populate();
	for (int round = 0; round < 3; round++) {
		CHECK(knob_set("/proc/self/clear_refs", "1"));
		CHECK_EQ(smaps_field(s.data, "Referenced:"), 0);
		forget_translations();
		for (int i = 0; i < PAGES / 2; i++)
			CHECK_EQ(*data(i), i);
		CHECK_EQ(smaps_field(s.data, "Referenced:"), PAGES / 2 * PAGE / 1024);
		CHECK_EQ(base_read(&s, (void *)data(PAGES - 1)), PAGES - 1);
		CHECK_EQ(smaps_field(s.data, "Referenced:"), (PAGES / 2 + 1) * PAGE / 1024);
	}
	return 0;
}

/* A huge page that the view maps in a table of its own, beside the 2 MiB around the override. */
static int referenced_huge_page(void)
{
	char *room = zones_reserve(2), *huge = room + ZONE, *code;
	int view;

	CHECK(data_map_at(huge, ZONE / PAGE) == huge);
	CHECK(!madvise(huge, ZONE, MADV_HUGEPAGE));
	*(volatile long *)huge = 1;
	if (smaps_field(huge, "AnonHugePages:") != ZONE / 1024)
		return case_skip("no huge page");
	code = code_map_at(room, CODE_ANON, 1);
	view = view_of(getpid());
	view_patch(view, code, NEW);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	for (int round = 0; round < 3; round++) {
		*(volatile long *)huge = round;
		CHECK(knob_set("/proc/self/clear_refs", "1"));
		CHECK_EQ(smaps_field(huge, "Referenced:"), 0);
		forget_translations();
		CHECK_EQ(*(volatile long *)huge, round);
		CHECK_EQ(smaps_field(huge, "Referenced:"), ZONE / 1024);
	}
	return 0;
}

/* --- idle pages -------------------------------------------------------------- */

static int bitmap;

static uint64_t idle_word(unsigned long pfn)
{
	uint64_t word;

	CHECK_EQ(pread(bitmap, &word, 8, pfn / 64 * 8), 8);
	return word;
}

static bool idle(unsigned long pfn)
{
	return idle_word(pfn) >> pfn % 64 & 1;
}

static void set_idle(unsigned long pfn)
{
	uint64_t word = 1ULL << pfn % 64;

	CHECK_EQ(pwrite(bitmap, &word, 8, pfn / 64 * 8), 8);
}

static int idle_pages(void)
{
	unsigned long pfn[PAGES];
	bool marked[PAGES];
	int nr;

	bitmap = open("/sys/kernel/mm/page_idle/bitmap", O_RDWR | O_CLOEXEC);
	if (bitmap < 0)
		return case_skip("no CONFIG_IDLE_PAGE_TRACKING");
	populate();
	/* Pages that wait in a CPU's batch cannot be idle; before compaction there are none. */
	if (!knob_set("/proc/sys/vm/compact_memory", "1"))
		return case_skip("no CONFIG_COMPACTION, or not root");
	for (int round = 0; round < 5; round++) {
		nr = 0;
		for (int i = 0; i < PAGES; i++) {
			pfn[i] = PAGEMAP_PFN(pagemap_entry((void *)data(i)));
			CHECK(pfn[i]);
			set_idle(pfn[i]);
			/* One that some CPU still has in a batch cannot be marked. */
			marked[i] = idle(pfn[i]);
			nr += marked[i];
		}
		CHECK_MSG(nr >= PAGES / 2, "round %d: only %d pages could be marked", round, nr);
		forget_translations();
		for (int i = 0; i < PAGES; i += 2)
			CHECK_EQ(*data(i), i);
		for (int i = 0; i < PAGES; i++)
			CHECK_MSG(!marked[i] || idle(pfn[i]) == i % 2, "round %d page %d", round,
				  i);
	}
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "soft-dirty: writes in a view show", soft_dirty_bits },
		{ "soft-dirty: the kernel's writes for a view show", soft_dirty_by_system_call },
		{ "smaps: what a view touched anew is Referenced", referenced_in_smaps },
		{ "smaps: a huge page that a view touched anew is Referenced",
		  referenced_huge_page },
		{ "page_idle: what a view touched is not idle", idle_pages },
	};

	MMVIEW_MAIN(cases);
}
