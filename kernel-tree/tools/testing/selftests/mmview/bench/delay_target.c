// SPDX-License-Identifier: GPL-2.0
/*
 * The target of the delay measurement; delay.h tells the idea.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include "delay.h"

#define PAGES	16

static void *block(void *arg)
{
	struct delay_target *t = arg;

	atomic_fetch_add(&t->settled, 1);
	for (;;)
		syscall(SYS_futex, &t->never, FUTEX_WAIT, 0, NULL, NULL, 0);
	return NULL;
}

static void touch_next_page(char *pages)
{
	static unsigned int next;

	if (next == PAGES) {
		madvise(pages, PAGES * PAGE, MADV_DONTNEED);
		next = 0;
	}
	bench_touch(pages + PAGE * next++);
}

static void map_and_unmap(void)
{
	char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	*at = 1;
	munmap(at, PAGE);
}

static inline void act(struct delay_target *t)
{
	atomic_store_explicit(&t->runs, code_call(t->code), memory_order_relaxed);
	switch (t->probe) {
	case PROBE_SYSCALL:
		syscall(SYS_getpid);
		break;
	case PROBE_FAULT:
		touch_next_page(t->pages);
		break;
	case PROBE_MMAP:
		map_and_unmap();
		break;
	default:
		break;
	}
}

static void *probe(void *arg)
{
	struct delay_target *t = arg;
	unsigned long longest = 0, last = __rdtsc();
	unsigned int window = 0;

	bench_pin(0);
	atomic_fetch_add(&t->settled, 1);
	for (;;) {
		unsigned int open;
		unsigned long now;

		act(t);
		_mm_pause();	/* emulated CPUs that take turns: the other's */
		open = atomic_load_explicit(&t->window, memory_order_relaxed);
		now = __rdtsc();
		if (now - last > longest)
			longest = now - last;
		last = now;
		if (open == window)
			continue;
		window = open;
		atomic_store(&t->longest, longest);
		atomic_store(&t->seen, window);
		longest = 0;
		last = __rdtsc();
	}
	return NULL;
}

static int target_main(void *arg)
{
	struct delay_target *t = arg;
	pthread_attr_t attr;
	pthread_t thread;

	if (t->mappings)
		bench_mappings(t->mappings);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	for (unsigned int i = 0; i < t->threads; i++)
		CHECK(!pthread_create(&thread, &attr, block, t));
	CHECK(!pthread_create(&thread, &attr, probe, t));
	block(t);
	return 0;
}

static double ticks_per_us(void)
{
	unsigned long ticks = __rdtsc();
	long long begin = now_ns();

	sleep_ms(50);
	ticks = __rdtsc() - ticks;
	return ticks * 1e3 / (now_ns() - begin);
}

struct delay_target *delay_target_start(enum probe probe, unsigned int threads,
					unsigned int mappings)
{
	char *room = mmap(NULL, 2 * ZONE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *zone = (char *)(((uintptr_t)room + ZONE - 1) & ~(ZONE - 1));
	struct delay_target *t = shared_alloc(sizeof(*t));

	CHECK(room != MAP_FAILED);
	t->probe = probe;
	t->threads = threads;
	t->mappings = mappings;
	t->ticks_per_us = ticks_per_us();
	t->code = code_map_at(zone, CODE_ANON, 1);
	t->pages = mmap(zone + ZONE / 2, PAGES * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(t->pages != MAP_FAILED);
	t->pid = spawn(target_main, t);
	munmap(room, 2 * ZONE);
	EVENTUALLY(atomic_load(&t->settled) == threads + 2);
	return t;
}

void delay_target_end(struct delay_target *t)
{
	kill(t->pid, SIGKILL);
	reap(t->pid);
	munmap(t, sizeof(*t));
	bench_views_gone();
}

double delay_next_window(struct delay_target *t)
{
	unsigned int window = atomic_fetch_add(&t->window, 1) + 1;
	long long end = now_ns() + SOON * 1000000000LL;

	while (atomic_load(&t->seen) != window)
		CHECK_MSG(now_ns() < end, "the probe does not get on");
	return atomic_load(&t->longest) / t->ticks_per_us;
}
