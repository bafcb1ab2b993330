// SPDX-License-Identifier: GPL-2.0
/*
 * What a view's own page tables must not do to the base: lose a write, keep
 * what the base has taken back, lead to a table that the base has freed.
 *
 * The long way round (stress) finds the same in time; each case here goes
 * straight for it. Own tables are those of the zone that overridden code is in.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mmview_util.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT		21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

/* --- a touch that may fault ------------------------------------------------- */

static _Thread_local sigjmp_buf fault;

static void on_fault(int signal)
{
	siglongjmp(fault, signal);
}

static void expect_faults(void)
{
	struct sigaction action = { .sa_handler = on_fault };

	CHECK(!sigaction(SIGSEGV, &action, NULL));
}

static bool can_write(volatile long *at, long value)
{
	if (sigsetjmp(fault, 1))
		return false;
	*at = value;
	return true;
}

static bool can_read(volatile long *at, long *value)
{
	if (sigsetjmp(fault, 1))
		return false;
	*value = *at;
	return true;
}

/* --- a page that is dirty in a mirror alone ----------------------------------- */

#define DIRTY_PAGES	256

/*
 * MADV_FREE leaves pages writable and clean: who reads, then writes them takes
 * them back, and nothing but a dirty bit says so.
 */
static int writes_after_free(void)
{
	struct sides s = sides_make(CODE_FILE, DIRTY_PAGES);
	volatile long *word = (volatile long *)s.data;
	const int step = PAGE / sizeof(*word);

	for (long round = 1; round <= 5; round++) {
		for (int i = 0; i < DIRTY_PAGES; i++)
			word[i * step] = 1;
		CHECK(!madvise(s.data, DIRTY_PAGES * PAGE, MADV_FREE));
		for (int i = 0; i < DIRTY_PAGES; i++) {
			long found = word[i * step];

			CHECK(found == 1 || found == 0);
			word[i * step] = round + i;
		}
		CHECK(!madvise(s.data, DIRTY_PAGES * PAGE, MADV_PAGEOUT));
		for (int i = 0; i < DIRTY_PAGES; i++) {
			CHECK_EQ(word[i * step], round + i);
			CHECK_EQ(base_read(&s, (void *)&word[i * step]), round + i);
		}
	}
	return 0;
}

/* --- a view that touches pages while the base takes them back ------------------- */

/*
 * One mapping that ends in the zone of the overridden code. Between the
 * announcement that all of it changes and the change of its last pages the
 * kernel has FAR_ZONES page tables to go through; a thread in the view touches
 * those last pages all the time.
 */
#define FAR_ZONES	64
#define NEAR_PAGES	16
#define ROOM_SIZE	(FAR_ZONES * ZONE + NEAR_PAGES * PAGE)

static char *room;
static int view;
static bool writes;			/* the thread writes; else it reads */
static atomic_long touches;
static atomic_bool taken, over;		/* the base's call has returned; no more rounds */
static pthread_barrier_t begin, looked;
static struct {
	bool possible;
	long value;
} found[NEAR_PAGES];			/* what it could do after the call */

static volatile long *near_page(int i)
{
	return (volatile long *)(room + FAR_ZONES * ZONE + i * PAGE);
}

static void touch_all(long value)
{
	for (int i = 0; i < NEAR_PAGES; i++) {
		found[i].possible = writes ? can_write(near_page(i), value) :
					     can_read(near_page(i), &found[i].value);
		atomic_fetch_add(&touches, 1);
	}
}

static void *touch_in_view(void *arg)
{
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	for (;;) {
		pthread_barrier_wait(&begin);
		if (atomic_load(&over))
			return arg;
		while (!atomic_load(&taken))
			touch_all(2);
		touch_all(3);
		pthread_barrier_wait(&looked);
	}
}

static void map_room(void)
{
	CHECK(data_map_at(room, ROOM_SIZE / PAGE) == room);
	CHECK(!madvise(room, ROOM_SIZE, MADV_NOHUGEPAGE) || errno == EINVAL);
}

/* The many pages are the zero page; the last ones hold a 1. */
static void populate_room(void)
{
	CHECK(!madvise(room, FAR_ZONES * ZONE, MADV_POPULATE_READ));
	for (int i = 0; i < NEAR_PAGES; i++)
		*near_page(i) = 1;
}

static pthread_t start_touching(bool by_writing)
{
	pthread_t thread;
	char *code;

	expect_faults();
	writes = by_writing;
	room = zones_reserve(FAR_ZONES + 1);
	code = code_map_at(room + FAR_ZONES * ZONE + SIDES_CODE * PAGE, CODE_FILE, 1);
	view = view_of(getpid());
	view_patch(view, code, NEW);
	map_room();
	CHECK(!pthread_barrier_init(&begin, NULL, 2) && !pthread_barrier_init(&looked, NULL, 2));
	CHECK(!pthread_create(&thread, NULL, touch_in_view, NULL));
	return thread;
}

static void take_back(int (*call)(void))
{
	long before;

	atomic_store(&taken, false);
	pthread_barrier_wait(&begin);
	before = atomic_load(&touches);
	EVENTUALLY(atomic_load(&touches) > before + 2 * NEAR_PAGES);
	CHECK(!call());
	atomic_store(&taken, true);
	pthread_barrier_wait(&looked);
}

static void stop_touching(pthread_t thread)
{
	atomic_store(&over, true);
	pthread_barrier_wait(&begin);
	CHECK(!pthread_join(thread, NULL));
}

static int make_readonly(void)
{
	return mprotect(room, ROOM_SIZE, PROT_READ);
}

static int protected_meanwhile(void)
{
	pthread_t thread = start_touching(true);

	populate_room();
	for (int round = 0; round < 6; round++) {
		take_back(make_readonly);
		for (int i = 0; i < NEAR_PAGES; i++)
			CHECK_MSG(!found[i].possible, "round %d: page %d can be written", round, i);
		CHECK(!mprotect(room, ROOM_SIZE, PROT_READ | PROT_WRITE));
	}
	stop_touching(thread);
	return 0;
}

static int discard(void)
{
	return madvise(room, ROOM_SIZE, MADV_DONTNEED);
}

static int discarded_meanwhile(void)
{
	pthread_t thread = start_touching(false);

	for (int round = 0; round < 3; round++) {
		populate_room();
		take_back(discard);
		for (int i = 0; i < NEAR_PAGES; i++)
			CHECK_MSG(found[i].possible && !found[i].value,
				  "round %d: page %d reads %ld", round, i, found[i].value);
	}
	stop_touching(thread);
	return 0;
}

static int unmap(void)
{
	return munmap(room, ROOM_SIZE);
}

static int unmapped_meanwhile(void)
{
	pthread_t thread = start_touching(false);

	for (int round = 0; round < 3; round++) {
		populate_room();
		take_back(unmap);
		for (int i = 0; i < NEAR_PAGES; i++)
			CHECK_MSG(!found[i].possible, "round %d: page %d reads %ld", round, i,
				  found[i].value);
		map_room();
	}
	stop_touching(thread);
	return 0;
}

/* --- a page table that the base has freed ---------------------------------------- */

#define GIB		(1UL << 30)
#define NOWHERE		((char *)0x200000000000UL)
#define OTHERS		64

static volatile long *map_page(char *at)
{
	CHECK(mmap(at, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == at);
	return (volatile long *)at;
}

/*
 * A page that is alone in its page table and whose unmapping frees that; then
 * as many new tables as may be that one. What they map must not show there.
 */
static int freed_tables(void)
{
	char *code = code_map_at(NOWHERE, CODE_ANON, 1), *lonely = NOWHERE + 100 * ZONE;
	char *others = NOWHERE + 4096 * GIB;
	long value = 0;

	expect_faults();
	view = view_of(getpid());
	view_patch(view, code, NEW);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	for (int round = 0; round < 30; round++) {
		*map_page(lonely) = 1;
		CHECK(!munmap(lonely, PAGE));
		for (int i = 0; i < OTHERS; i++)
			*map_page(others + i * ZONE) = 100 + i;
		CHECK_MSG(!can_read((volatile long *)lonely, &value),
			  "round %d: nothing is mapped there, it reads %ld", round, value);
		for (int i = 0; i < OTHERS; i++)
			CHECK(!munmap(others + i * ZONE, PAGE));
	}
	CHECK_EQ(code_call(code), NEW);
	return 0;
}

/* --- a view that touches pages while others are taken back ------------------------ */

#define OTHER_PAGES	(4 * ZONE / PAGE)
#define TAKEN_ROUNDS	100

static void *invalidate_all_the_time(void *arg)
{
	for (int i = 0; i < (int)OTHER_PAGES; i++)
		((volatile char *)arg)[i * PAGE] = 1;
	atomic_fetch_add(&touches, 1);
	while (!atomic_load(&over))
		CHECK(!madvise(arg, OTHER_PAGES * PAGE, MADV_FREE));
	return NULL;
}

/*
 * Of two threads, one below and one above the zone, at every moment one at least
 * is in the middle of it. A page between them must not be waited for.
 */
static int touched_between_others(void)
{
	char *high = data_map_at(NULL, OTHER_PAGES);
	struct sides s = sides_make(CODE_FILE, 1);
	char *low = data_map_at(NULL, OTHER_PAGES);
	pthread_t thread[2];

	CHECK(low < s.zone && s.zone < high);
	CHECK(!madvise(low, OTHER_PAGES * PAGE, MADV_NOHUGEPAGE));
	CHECK(!madvise(high, OTHER_PAGES * PAGE, MADV_NOHUGEPAGE));
	CHECK(!pthread_create(&thread[0], NULL, invalidate_all_the_time, low));
	CHECK(!pthread_create(&thread[1], NULL, invalidate_all_the_time, high));
	EVENTUALLY(atomic_load(&touches) == 2);
	atomic_store(&touches, 0);
	alarm(3 * SOON);
	for (int round = 1; round <= TAKEN_ROUNDS; round++) {
		CHECK(!madvise(s.data, PAGE, MADV_DONTNEED));
		CHECK_EQ(*(volatile long *)s.data, 0);
		*(volatile long *)s.data = round;
	}
	atomic_store(&over, true);
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_join(thread[i], NULL));
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "a write to what MADV_FREE has left is not lost", writes_after_free },
		{ "mprotect holds for a view that writes meanwhile", protected_meanwhile },
		{ "MADV_DONTNEED holds for a view that reads meanwhile", discarded_meanwhile },
		{ "munmap holds for a view that reads meanwhile", unmapped_meanwhile },
		{ "a page table that was freed is not found", freed_tables },
		{ "a page between others that are taken back is not waited for",
		  touched_between_others },
	};

	MMVIEW_MAIN(cases);
}
