/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The stress: regions of memory that threads of the base and of views work on
 * in turn, each checking what the last one left.
 *
 * Invariant: the content of every page follows from the region's bookkeeping
 * (a version per page; version 0 is all zeros), and whoever holds the region's
 * lock may check it, from whatever view.
 */
#ifndef MMVIEW_STRESS_H
#define MMVIEW_STRESS_H

#include <pthread.h>

#include "mmview_util.h"

#define GIB		(1UL << 30)
#define WORDS		(PAGE / 8)
#define MAX_PAGES	1024
#define MAX_THREADS	32
#define CODES		4

enum region_kind {
	NEAR,		/* mapped into gaps of the page table that overridden text lies in */
	ZONES,		/* whole page tables, huge pages; same 1 GiB as overridden text */
	LONELY,		/* alone in its 1 GiB: its unmapping frees upper tables */
	FAR,		/* wherever mmap puts it */
	BSS,		/* beside the program's own text */
	DATA,
	SHARED_FILE,
	PRIVATE_FILE,
	HEAP,		/* grows with brk */
	KINDS
};

struct region {
	pthread_mutex_t lock;
	enum region_kind kind;
	int id;
	char *at;
	char *elsewhere;	/* ZONES: room to move to */
	int fd;			/* the files */
	bool mapped;
	bool gap;		/* unmapped: others may have fallen into it */
	unsigned int pages;
	unsigned int last_version;	/* never used twice: old content is found out */
	unsigned int version[MAX_PAGES];
	bool may_be_zero[MAX_PAGES];	/* after MADV_FREE, until it is written */
};

struct worker {
	pthread_t thread;
	int index, pipe[2];
	atomic_int tid;
	bool viewer;		/* follows the views; the others stay in the base */
	bool moves_itself;	/* the others are moved by the main thread */
	int in_view;		/* the newest view that it has seen itself in; 0: base */
	uint64_t random;
	atomic_long rounds;
	uint64_t buffer[WORDS];
};

struct stress {
	struct region region[64];
	int regions;
	char *code[CODES];
	struct worker worker[MAX_THREADS];
	int workers;
	atomic_int stop;
	atomic_int generation;	/* the newest view; its text returns GENERATION(n) */
	atomic_int view;	/* its descriptor */
	pthread_mutex_t view_lock;	/* held while the descriptor is used or replaced */
	bool pressure;
	pthread_mutex_t hot;
	long hot_count;
	atomic_long hot_expected;
};

extern struct stress stress;

#define GENERATION(n)	(1000 + (n))

extern const char *const op_names[];
extern const int ops;
extern atomic_long op_count[];

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Regions: all but make_regions want the lock held. */
void make_regions(const char *directory);
bool region_map(struct region *r);		/* false: somebody else is there now */
void region_unmap(struct region *r);
void page_fill(const struct region *r, unsigned int page, uint64_t *to);
void page_check(struct region *r, unsigned int page, const char *at);
void region_check(struct region *r, unsigned int from, unsigned int nr);
void page_write(struct region *r, unsigned int page);
void region_zeroed(struct region *r, unsigned int from, unsigned int nr);
bool region_is_anonymous(const struct region *r);

/* Operations. */
void check_code(struct worker *w);
void one_round(struct worker *w);

#endif
