// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel moves pages under a view: between nodes on demand, by NUMA
 * balancing, and for compaction. What moved is found by both sides, and no
 * write is lost meanwhile.
 *
 * The parts about nodes want a machine with two (numa=fake=2 will do).
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "knobs.h"

#define PAGES		256
#define MPOL_MF_MOVE	2

static struct sides s;

static volatile long *word(int page)
{
	return (volatile long *)(s.data + page * PAGE);
}

static bool two_nodes(void)
{
	return !access("/sys/devices/system/node/node1", F_OK);
}

/* --- both sides count in all pages all the time ---------------------------------- */

static atomic_int stop;

static long count_up(void *arg)
{
	int mine = arg ? 2 : 1;
	long rounds = 0;

	while (!atomic_load(&stop)) {
		for (int i = 0; i < PAGES; i++) {
			CHECK_EQ(word(i)[mine], rounds);
			word(i)[mine] = rounds + 1;
			CHECK_EQ(word(i)[0], i);
		}
		CHECK_EQ(code_call(s.code), arg ? OLD : NEW);
		rounds++;
	}
	return rounds;
}

static void *count_up_in_view(void *arg)
{
	count_up(NULL);
	return arg;
}

/* Runs @disturb in the base until it has seen enough, with both sides writing. */
static void under_load(void *(*disturb)(void *))
{
	pthread_t disturber, writer;

	CHECK(!pthread_create(&writer, NULL, count_up_in_view, NULL));
	CHECK(!pthread_create(&disturber, NULL, disturb, NULL));
	CHECK(helper_call(s.base, count_up, "base") > 0);
	CHECK(!pthread_join(writer, NULL));
	CHECK(!pthread_join(disturber, NULL));
	sides_check(&s);
}

static void populate(enum code_kind kind)
{
	s = sides_make(kind, PAGES);
	for (int i = 0; i < PAGES; i++)
		*word(i) = i;
}

/* --- on demand -------------------------------------------------------------------- */

/* All pages and the text to @node; where one is held for a moment it stays. */
static int move_to(int node)
{
	static void *pages[PAGES + 1];
	int nodes[PAGES + 1], status[PAGES + 1], there = 0;

	for (int i = 0; i <= PAGES; i++) {
		pages[i] = i < PAGES ? (void *)word(i) : s.code;
		nodes[i] = node;
	}
	CHECK(syscall(SYS_move_pages, 0, PAGES + 1, pages, nodes, status, MPOL_MF_MOVE) >= 0);
	CHECK(!syscall(SYS_move_pages, 0, PAGES + 1, pages, NULL, status, 0));
	for (int i = 0; i <= PAGES; i++)
		there += status[i] == node;
	return there;
}

static int move_pages_to_and_fro(void)
{
	if (!two_nodes())
		return case_skip("one memory node");
	populate(CODE_ANON);
	for (int round = 0; round < 6; round++) {
		CHECK(move_to(round % 2) > PAGES / 2);
		for (int i = 0; i < PAGES; i++) {
			CHECK_EQ(*word(i), i);
			CHECK_EQ(base_read(&s, (void *)word(i)), i);
		}
		sides_check(&s);
	}
	return 0;
}

static void *mover(void *arg)
{
	int moved = 0;

	for (int round = 0; round < 30; round++)
		moved += move_to(round % 2);
	CHECK(moved > 0);
	atomic_store(&stop, 1);
	return arg;
}

static int move_pages_under_load(void)
{
	if (!two_nodes())
		return case_skip("one memory node");
	populate(CODE_FILE);
	under_load(mover);
	return 0;
}

static void *migrater(void *arg)
{
	unsigned long from, to;

	for (int round = 0; round < 20; round++) {
		from = 1UL << round % 2;
		to = 3 & ~from;
		CHECK(syscall(SYS_migrate_pages, 0, 8 * sizeof(from), &from, &to) >= 0);
	}
	atomic_store(&stop, 1);
	return arg;
}

static int migrate_pages_under_load(void)
{
	if (!two_nodes())
		return case_skip("one memory node");
	populate(CODE_ANON);
	under_load(migrater);
	return 0;
}

/* --- NUMA balancing ---------------------------------------------------------------- */

#define BALANCING	"/proc/sys/kernel/numa_balancing"
#define SCAN_DELAY	"/sys/kernel/debug/sched/numa_balancing/scan_delay_ms"
#define SCAN_MIN	"/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms"
#define SCAN_MAX	"/sys/kernel/debug/sched/numa_balancing/scan_period_max_ms"

static void *wait_for_hints(void *arg)
{
	long long updates = knob_field("/proc/vmstat", "numa_pte_updates ");
	long long faults = knob_field("/proc/vmstat", "numa_hint_faults ");

	EVENTUALLY(knob_field("/proc/vmstat", "numa_pte_updates ") > updates + 2 * PAGES &&
		   knob_field("/proc/vmstat", "numa_hint_faults ") > faults + PAGES);
	atomic_store(&stop, 1);
	return arg;
}

static int numa_balancing(void)
{
	if (!two_nodes() || !knob_set(BALANCING, "1"))
		return case_skip("one memory node, or no NUMA balancing");
	if (knob_field("/proc/vmstat", "numa_pte_updates ") < 0)
		return case_skip("no CONFIG_VM_EVENT_COUNTERS to see it by");
	knob_set(SCAN_DELAY, "10");
	knob_set(SCAN_MIN, "10");
	knob_set(SCAN_MAX, "50");
	populate(CODE_FILE);
	/* All of it where the processors are not; then the kernel may choose. */
	move_to(1);
	under_load(wait_for_hints);
	return 0;
}

/* --- compaction ---------------------------------------------------------------------- */

static uint64_t was[PAGES];

static int moved_pages(void)
{
	int moved = 0;

	for (int i = 0; i < PAGES; i++) {
		uint64_t now = PAGEMAP_PFN(pagemap_entry((void *)word(i)));

		moved += was[i] && now && was[i] != now;
		was[i] = now;
	}
	return moved;
}

static atomic_int compacted;

static void *compactor(void *arg)
{
	for (int round = 0; round < 8 && atomic_load(&compacted) < PAGES; round++) {
		CHECK(knob_set("/proc/sys/vm/compact_memory", "1"));
		atomic_fetch_add(&compacted, moved_pages());
	}
	atomic_store(&stop, 1);
	return arg;
}

static int compaction(void)
{
	char *filler = data_map_at(NULL, 7 * PAGES);

	if (access("/proc/sys/vm/compact_memory", W_OK))
		return case_skip("no compaction, or not root");
	s = sides_make(CODE_FILE, PAGES);
	/* The pages stand apart from each other, with holes between them. */
	for (int i = 0; i < PAGES; i++) {
		*word(i) = i;
		for (int j = 0; j < 7; j++)
			filler[(i * 7 + j) * PAGE] = 1;
	}
	CHECK(!munmap(filler, 7 * PAGES * PAGE));
	moved_pages();
	if (!was[0])
		return case_skip("page numbers are not shown (not root?)");
	under_load(compactor);
	if (!atomic_load(&compacted))
		return case_skip("compaction has moved none of the pages");
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "move_pages", move_pages_to_and_fro },
		{ "move_pages while both sides write", move_pages_under_load },
		{ "migrate_pages while both sides write", migrate_pages_under_load },
		{ "NUMA balancing while both sides write", numa_balancing },
		{ "compaction while both sides write", compaction },
	};

	knob_keep(BALANCING);
	knob_keep(SCAN_DELAY);
	knob_keep(SCAN_MIN);
	knob_keep(SCAN_MAX);
	MMVIEW_MAIN(cases);
}
