// SPDX-License-Identifier: GPL-2.0
/*
 * The multi-gen LRU looks for accessed bits in the base's page tables, and
 * leaves out tables whose entry in the table above was not accessed since last
 * time. A view walks past both entries: what it uses must show in them.
 *
 * Wants debugfs' lru_gen, by which a memory cgroup's pages are aged on demand.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "knobs.h"

#define ENABLED		"/sys/kernel/mm/lru_gen/enabled"
#define EVERYTHING	"7"		/* page table walks, and of leaves' parents */
#define LRU_GEN		"/sys/kernel/debug/lru_gen"
#define CGROUPS		"/sys/fs/cgroup"
#define PAGES		256
#define NODES		8
#define GENERATIONS	4

static struct sides s;
static char group[64], name[64];	/* its folder, and what the kernel calls it */

/* --- the group's generations ------------------------------------------------- */

struct generation {
	unsigned long seq, anon;
};

static struct lru {
	unsigned int id, nodes;
	struct {
		unsigned int nid, nr;
		struct generation gen[GENERATIONS];	/* oldest first */
	} node[NODES];
} lru;

static void read_lru(void)
{
	FILE *file = fopen(LRU_GEN, "re");
	char line[512], path[256];
	unsigned int id, nid;
	bool ours = false;

	CHECK(file);
	memset(&lru, 0, sizeof(lru));
	while (fgets(line, sizeof(line), file)) {
		struct generation gen;

		if (sscanf(line, "memcg %u %255s", &id, path) == 2) {
			ours = !strcmp(path, name);
			lru.id = ours ? id : lru.id;
		} else if (ours && sscanf(line, " node %u", &nid) == 1) {
			CHECK(lru.nodes < NODES);
			lru.node[lru.nodes++].nid = nid;
		} else if (ours && sscanf(line, "%lu %*u %lu", &gen.seq, &gen.anon) == 2) {
			CHECK(lru.node[lru.nodes - 1].nr < GENERATIONS);
			lru.node[lru.nodes - 1].gen[lru.node[lru.nodes - 1].nr++] = gen;
		}
	}
	fclose(file);
	CHECK_MSG(lru.nodes, "no %s in " LRU_GEN, name);
}

/* Pages in the generation before the last: those that the last walk found used. */
static unsigned long found_used(void)
{
	unsigned long pages = 0;

	read_lru();
	for (unsigned int i = 0; i < lru.nodes; i++)
		pages += lru.node[i].nr < 2 ? 0 : lru.node[i].gen[lru.node[i].nr - 2].anon;
	return pages;
}

/* A new generation, after a walk of the page tables; @all: of every one of them. */
static void age(bool all)
{
	/* A process that has not run since the last walk is left out. */
	sleep_ms(2);
	read_lru();
	for (unsigned int i = 0; i < lru.nodes; i++)
		CHECK(knob_set(LRU_GEN, "+ %u %u %lu 60 %d", lru.id, lru.node[i].nid,
			       lru.node[i].gen[lru.node[i].nr - 1].seq, all));
}

/* Old generations that nothing is left in go, so that there is room for new ones. */
static void drop_old(void)
{
	for (int round = 0; round < 10; round++) {
		bool room = true;

		read_lru();
		for (unsigned int i = 0; i < lru.nodes; i++) {
			if (lru.node[i].nr < GENERATIONS)
				continue;
			room = false;
			CHECK(knob_set(LRU_GEN, "- %u %u %lu 60 10000", lru.id, lru.node[i].nid,
				       lru.node[i].gen[0].seq));
		}
		if (room)
			return;
	}
	CHECK_MSG(false, "four generations stay");
}

/* --- the cases ------------------------------------------------------------------ */

static volatile long *data(int page)
{
	return (volatile long *)(s.data + page * PAGE);
}

static void use(int pages)
{
	/* A flush, after which CPUs set accessed bits again that are clear. */
	char *spare = data_map_at(NULL, PAGES);

	for (int i = 0; i < PAGES; i++)
		spare[i * PAGE] = 1;
	CHECK(!munmap(spare, PAGES * PAGE));
	for (int i = 0; i < pages; i++)
		CHECK_EQ(*data(i), i);
}

static void populate(void)
{
	s = sides_make(CODE_FILE, PAGES);
	for (int i = 0; i < PAGES; i++)
		*data(i) = i;
	use(PAGES);
}

static bool enter_group(void)
{
	char path[160];

	if (access(CGROUPS "/cgroup.controllers", R_OK))
		mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
	knob_set(CGROUPS "/cgroup.subtree_control", "+memory");
	if (mkdir(group, 0755) && errno != EEXIST)
		return false;
	snprintf(path, sizeof(path), "%s/memory.current", group);
	if (access(path, R_OK))
		return false;
	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	return knob_set(path, "%d", getpid());
}

static const char *prepare(void)
{
	cpu_set_t one;

	/* What one CPU has put into a batch the next pages push to the lists. */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK(!sched_setaffinity(0, sizeof(one), &one));
	if (!knob_set(ENABLED, EVERYTHING))
		return "no CONFIG_LRU_GEN, or not root";
	if (access(LRU_GEN, W_OK))
		return "no debugfs";
	return enter_group() ? NULL : "no memory cgroups";
}

static int used_pages(void)
{
	const char *lacking = prepare();

	if (lacking)
		return case_skip(lacking);
	populate();
	age(true);
	for (int pages = PAGES; pages > PAGES / 4; pages -= PAGES / 4) {
		use(pages);
		age(true);
		CHECK_MSG(found_used() >= (unsigned long)pages, "%lu of %d", found_used(), pages);
		CHECK_MSG(found_used() < (unsigned long)pages + PAGES / 4, "%lu of %d",
			  found_used(), pages);
	}
	return 0;
}

static int used_tables(void)
{
	const char *lacking = prepare();

	if (lacking)
		return case_skip(lacking);
	populate();
	age(true);
	for (int round = 0; round < 4; round++) {
		int pages = PAGES - round % 2 * PAGES / 4;

		drop_old();
		use(pages);
		age(false);
		CHECK_MSG(found_used() >= (unsigned long)pages, "round %d: %lu of %d", round,
			  found_used(), pages);
	}
	return 0;
}

static void drop_group(void)
{
	rmdir(group);
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "pages that a view uses are found", used_pages },
		{ "page tables that a view walks past are not left out", used_tables },
	};

	snprintf(group, sizeof(group), CGROUPS "/mmview-lrugen-%d", getpid());
	snprintf(name, sizeof(name), "%s", group + strlen(CGROUPS));
	knob_keep(ENABLED);
	atexit(drop_group);
	MMVIEW_MAIN(cases);
}
