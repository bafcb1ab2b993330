// SPDX-License-Identifier: GPL-2.0
/*
 * KSM beside an override and under it: pages that the kernel merges are
 * mirrored write-protected, and who writes gets a copy that both sides see.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "knobs.h"

#define KSM	"/sys/kernel/mm/ksm/"
#define PAGES	64

static struct sides s;

static volatile long *data(int page)
{
	return (volatile long *)(s.data + page * PAGE);
}

static bool merged(void)
{
	char text[32];

	CHECK(knob_get("/proc/self/ksm_merging_pages", text, sizeof(text)));
	return atol(text) >= PAGES;
}

static bool ksm_runs(void)
{
	return knob_set(KSM "run", "1") && knob_set(KSM "sleep_millisecs", "5") &&
	       knob_set(KSM "pages_to_scan", "2000");
}

static void make_alike(long value)
{
	for (int i = 0; i < PAGES; i++)
		for (unsigned int word = 0; word < PAGE / 8; word++)
			data(i)[word] = value + word;
}

static void check_alike(long value)
{
	for (int i = 0; i < PAGES; i++) {
		CHECK_EQ(data(i)[3], value + 3);
		CHECK_EQ(base_read(&s, (void *)&data(i)[511]), value + 511);
	}
	sides_check(&s);
}

static int merged_data(void)
{
	if (!ksm_runs())
		return case_skip("no KSM");
	s = sides_make(CODE_FILE, PAGES);
	for (long round = 1; round <= 2; round++) {
		long value = round * 1000000 + getpid();

		make_alike(value);
		CHECK(!madvise(s.data, PAGES * PAGE, MADV_MERGEABLE));
		EVENTUALLY(merged());
		check_alike(value);
		/* A copy for whoever writes, from either side; the others keep theirs. */
		*data(1) = -1;
		CHECK_EQ(base_read(&s, (void *)data(1)), -1);
		base_write(&s, (void *)data(2), -2);
		CHECK_EQ(*data(2), -2);
		for (int i = 3; i < PAGES; i++)
			CHECK_EQ(*data(i), value);
		CHECK_EQ(*data(0), value);
		CHECK(!madvise(s.data, PAGES * PAGE, MADV_UNMERGEABLE));
		CHECK_EQ(*data(2), -2);
		CHECK_EQ(base_read(&s, (void *)data(4)), value);
	}
	sides_check(&s);
	return 0;
}

/* Text in anonymous memory, all pages alike, one of them overridden. */
static int merged_text(void)
{
	struct helper *base = helper_start();
	char *code = code_map(CODE_ANON, PAGES);
	int view;

	if (!ksm_runs())
		return case_skip("no KSM");
	/* Like no other page of the machine. */
	CHECK(!mprotect(code, PAGES * PAGE, PROT_READ | PROT_WRITE));
	for (int i = 0; i < PAGES; i++)
		*(long *)(code + i * PAGE + 64) = getpid();
	CHECK(!mprotect(code, PAGES * PAGE, PROT_READ | PROT_EXEC));
	view = view_of(getpid());
	view_patch(view, code + 5 * PAGE, NEW);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	CHECK(!madvise(code, PAGES * PAGE, MADV_MERGEABLE));
	EVENTUALLY(merged());
	s = (struct sides){ .code = code + 5 * PAGE, .view = view, .base = base };
	sides_check(&s);
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(code_call(code + i * PAGE), i == 5 ? NEW : OLD);
	CHECK(!madvise(code, PAGES * PAGE, MADV_UNMERGEABLE));
	sides_check(&s);
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "merged data beside an override", merged_data },
		{ "merged text with an override", merged_text },
	};

	knob_keep(KSM "run");
	knob_keep(KSM "sleep_millisecs");
	knob_keep(KSM "pages_to_scan");
	MMVIEW_MAIN(cases);
}
