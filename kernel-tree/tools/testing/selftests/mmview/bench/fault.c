// SPDX-License-Identifier: GPL-2.0
/*
 * What a page fault costs, by where the thread runs and where the page lies:
 * in a process without views, in the base of one that has a view, in the view
 * behind tables that are the base's, and in the view behind tables of its own
 * (a zone: 2 MiB around an override). And what it costs to take pages away.
 *
 * All threads of a process share a CPU: no TLB flush has to cross to another.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define PAGES	256
#define ROUNDS	41

enum what { TOUCH, ZAP, MIRROR };

struct place {
	bool has_view;
	bool in_view;			/* the thread that touches */
	bool in_zone;			/* the pages */
};

static struct {
	char *pages;
	char *code;			/* the override */
	pthread_t other;
	sem_t go, done;
	double ns;
	int view;
} p;

/* Nanoseconds for one page. */
static double touch(void)
{
	long long begin = now_ns();

	for (int i = 0; i < PAGES; i++)
		bench_touch(p.pages + i * PAGE);
	return (double)(now_ns() - begin) / PAGES;
}

static double zap(void)
{
	long long begin = now_ns();

	CHECK(!madvise(p.pages, PAGES * PAGE, MADV_DONTNEED));
	return (double)(now_ns() - begin) / PAGES;
}

static void *touch_for_another(void *view)
{
	if (view)
		CHECK_EQ(sys_mmview_migrate(p.view, 0, 0), 1);
	for (;;) {
		sem_wait(&p.go);
		p.ns = touch();
		sem_post(&p.done);
	}
	return NULL;
}

static double other_touches(void)
{
	sem_post(&p.go);
	while (sem_wait(&p.done))
		;
	return p.ns;
}

/* Two zones beside each other: code in the second, pages in either. */
static void prepare(const struct place *place)
{
	char *room = mmap(NULL, 3 * ZONE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *zone = (char *)(((uintptr_t)room + ZONE - 1) & ~(ZONE - 1));

	CHECK(room != MAP_FAILED);
	p.code = code_map_at(zone + 2 * ZONE - PAGE, CODE_ANON, 1);
	p.pages = mmap(zone + (place->in_zone ? ZONE : 0), PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(p.pages != MAP_FAILED);
	madvise(p.pages, PAGES * PAGE, MADV_NOHUGEPAGE);
	if (place->has_view) {
		p.view = view_of(getpid());
		view_patch(p.view, p.code, NEW);
	}
	bench_pin(bench_last_cpu());
	sem_init(&p.go, 0, 0);
	sem_init(&p.done, 0, 0);
	CHECK(!pthread_create(&p.other, NULL, touch_for_another, place->in_view ? p.code : NULL));
	other_touches();
}

static double serve(int what, void *arg)
{
	double ns[ROUNDS];

	if (!p.pages)
		prepare(arg);
	for (int i = 0; i < ROUNDS; i++) {
		double zapped = zap();

		if (what == MIRROR)	/* the base has them already */
			touch();
		ns[i] = other_touches();
		if (what == ZAP)
			ns[i] = zapped;
	}
	return bench_best(ns, ROUNDS);
}

static double ask(const struct bench_case *c)
{
	return bench_ask(c->on, c->n);
}

int main(int argc, char **argv)
{
	static struct place nowhere, base = { true, false, false };
	static struct place view = { true, true, false }, zone = { true, true, true };
	unsigned int runs = bench_runs(argc, argv);
	struct bench_worker n = bench_worker(serve, &nowhere);
	struct bench_worker b = bench_worker(serve, &base);
	struct bench_worker v = bench_worker(serve, &view);
	struct bench_worker z = bench_worker(serve, &zone);
	const struct bench_case cases[] = {
		{ "fault/no-view", "ns", NULL, ask, &n, TOUCH },
		{ "fault/base", "ns", "fault/no-view", ask, &b, TOUCH },
		{ "fault/view", "ns", "fault/base", ask, &v, TOUCH },
		{ "fault/view-zone", "ns", "fault/base", ask, &z, TOUCH },
		{ "fault/only-the-mirror", "ns", "fault/base", ask, &z, MIRROR },
		{ "zap/no-view", "ns", NULL, ask, &n, ZAP },
		{ "zap/base", "ns", "zap/no-view", ask, &b, ZAP },
		{ "zap/view", "ns", "zap/no-view", ask, &v, ZAP },
		{ "zap/view-zone", "ns", "zap/no-view", ask, &z, ZAP },
	};

	BENCH_TURNS(cases, runs);
	bench_worker_end(&n);
	bench_worker_end(&b);
	bench_worker_end(&v);
	bench_worker_end(&z);
	return 0;
}
