// SPDX-License-Identifier: GPL-2.0
/*
 * What a view is: other text, the same everything else, at the same moment.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mmview_util.h"

#define ROUNDS	20000

/* Text of this very program, in a page of its own: page cache, not memfd. */
__asm__(".pushsection .text.mmview_own, \"ax\", @progbits\n"
	".balign 4096\n"
	".globl own_text\n"
	"own_text: .byte 0xb8; .long 1; .byte 0xc3\n"
	".balign 4096, 0xcc\n"
	".popsection");
extern const char own_text[];
static volatile long own_data = 17;

static int self_migrate(void)
{
	void *code = code_map(CODE_ANON, 1);
	int view = view_of(getpid());

	CHECK_EQ(task_view(getpid(), sys_gettid()), 0);
	view_patch(view, code, NEW);
	CHECK_EQ(code_call(code), OLD);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	CHECK_EQ(code_call(code), NEW);
	CHECK(task_view(getpid(), sys_gettid()) != 0);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	CHECK_EQ(sys_mmview_migrate(view, sys_gettid(), 0), 1);
	CHECK_EQ(code_call(code), NEW);
	CHECK(!close(view));
	CHECK_EQ(code_call(code), NEW);
	return 0;
}

struct pair {
	int view;
	const void *code;
	pthread_barrier_t in_place;
	atomic_long sum;
	atomic_long ball;		/* whose turn: even base, odd view */
	unsigned char *page;
};

/*
 * Both threads call the same function all the time, and throw a ball to and
 * fro through plain memory while they do it.
 */
static void play(struct pair *p, int expected, int me)
{
	pthread_barrier_wait(&p->in_place);
	for (long i = 0; i < ROUNDS; i++) {
		CHECK_EQ(code_call(p->code), expected);
		atomic_fetch_add(&p->sum, 1);
	}
	for (long i = 0; i < 2000; i++) {
		unsigned char mine = me ? (unsigned char)(i * 2 + 1) : (unsigned char)(i * 2);

		while ((atomic_load(&p->ball) & 1) != me)
			sched_yield();
		for (size_t at = 0; (me || i) && at < PAGE; at += 64)
			CHECK_EQ(p->page[at], (unsigned char)(mine - 1));
		memset(p->page, mine, PAGE);
		CHECK_EQ(code_call(p->code), expected);
		atomic_fetch_add(&p->ball, 1);
	}
}

static void *play_in_view(void *arg)
{
	struct pair *p = arg;

	CHECK_EQ(sys_mmview_migrate(p->view, 0, 0), 1);
	play(p, NEW, 1);
	return NULL;
}

static int two_threads(enum code_kind kind, const void *code)
{
	struct pair p = { .code = code ? code : code_map(kind, 1) };
	pthread_t thread;

	p.page = aligned_alloc(PAGE, PAGE);
	CHECK(p.page);
	p.view = view_of(getpid());
	view_patch(p.view, p.code, NEW);
	pthread_barrier_init(&p.in_place, NULL, 2);
	CHECK(!pthread_create(&thread, NULL, play_in_view, &p));
	play(&p, OLD, 0);
	CHECK(!pthread_join(thread, NULL));
	CHECK_EQ(atomic_load(&p.sum), 2 * ROUNDS);
	CHECK_EQ(code_call(p.code), OLD);
	return 0;
}

static int two_threads_anonymous(void)
{
	return two_threads(CODE_ANON, NULL);
}

static int two_threads_file(void)
{
	return two_threads(CODE_FILE, NULL);
}

static int two_threads_own_text(void)
{
	return two_threads(CODE_FILE, own_text);
}

static int pread_shows_the_view(void)
{
	char *code = code_map(CODE_FILE, 3);
	unsigned char whole[3 * PAGE], before[3 * PAGE];
	int view = view_of(getpid());

	memcpy(before, code, sizeof(before));
	view_patch(view, code + PAGE, NEW);
	CHECK_EQ(view_value(view, code), OLD);
	CHECK_EQ(view_value(view, code + PAGE), NEW);
	CHECK_EQ(view_value(view, code + 2 * PAGE), OLD);
	CHECK(!memcmp(before, code, sizeof(before)));
	CHECK_EQ(pread(view, whole, sizeof(whole), (off_t)(uintptr_t)code), sizeof(whole));
	before[PAGE + 1] = NEW;
	CHECK(!memcmp(whole, before, sizeof(whole)));
	CHECK_EQ(view_state(view, NULL, 0).overrides, 1);
	CHECK_EQ(view_state(view, NULL, 0).flags, 0);
	view_patch(view, code + PAGE, 77);
	CHECK_EQ(view_value(view, code + PAGE), 77);
	CHECK_EQ(view_state(view, NULL, 0).overrides, 1);
	return 0;
}

/* An instruction that lies in two pages. */
static int across_a_page_boundary(void)
{
	char *pages = code_map(CODE_ANON, 2), *code = pages + PAGE - 3;
	char *room = code_map(CODE_FILE, 2);
	int view = view_of(getpid());

	view_patch(view, code, NEW);
	view_patch(view, room + PAGE - 1, 0x01020304);
	CHECK_EQ(view_state(view, NULL, 0).overrides, 4);
	CHECK_EQ((unsigned char)code[0], 0xcc);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	CHECK_EQ(code_call(code), NEW);
	CHECK_EQ(code_call(room + PAGE - 1), 0x01020304);
	CHECK_EQ(code_call(pages), OLD);
	return 0;
}

/* Overrides all over several zones, each with a value of its own. */
static int many_overrides(void)
{
	const size_t pages = 3 * ZONE / PAGE;
	char *code = code_map(CODE_ANON, pages);
	int view = view_of(getpid());

	for (size_t i = 0; i < pages; i += 3)
		view_patch(view, code + i * PAGE, 1000 + i);
	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(code_call(code + i * PAGE), OLD);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(code_call(code + i * PAGE), i % 3 ? OLD : 1000 + (long)i);
	return 0;
}

static void *call_own_text(void *arg)
{
	own_data++;
	return (void *)(intptr_t)(code_call(own_text) + (long)(intptr_t)arg);
}

static int data_beside_the_text(void)
{
	int view = view_of(getpid());
	long before = own_data;
	pthread_t thread;
	void *result;

	view_patch(view, own_text, NEW);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	own_data = 40;
	CHECK(before == 17 && own_data == 40);
	CHECK(!pthread_create(&thread, NULL, call_own_text, (void *)5L));
	CHECK(!pthread_join(thread, &result));
	CHECK_EQ((intptr_t)result, NEW + 5);
	CHECK_EQ(own_data, 41);
	return 0;
}

struct generation {
	int view, expected;
	const void *code;
	pthread_barrier_t *all;
};

static void *live_in_generation(void *arg)
{
	struct generation *g = arg;

	CHECK_EQ(sys_mmview_migrate(g->view, 0, 0), 1);
	pthread_barrier_wait(g->all);
	for (int i = 0; i < ROUNDS; i++)
		CHECK_EQ(code_call(g->code), g->expected);
	pthread_barrier_wait(g->all);
	return NULL;
}

/* Base and two views at the same moment, then from one view into the other. */
static int two_views(void)
{
	void *code = code_map(CODE_FILE, 1);
	pthread_barrier_t all;
	struct generation g[2];
	pthread_t thread[2];

	pthread_barrier_init(&all, NULL, 3);
	for (int i = 0; i < 2; i++) {
		g[i] = (struct generation){ view_of(getpid()), 10 + i, code, &all };
		view_patch(g[i].view, code, 10 + i);
	}
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_create(&thread[i], NULL, live_in_generation, &g[i]));
	pthread_barrier_wait(&all);
	for (int i = 0; i < ROUNDS; i++)
		CHECK_EQ(code_call(code), OLD);
	pthread_barrier_wait(&all);
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_join(thread[i], NULL));
	CHECK_EQ(sys_mmview_migrate(g[0].view, 0, 0), 1);
	CHECK_EQ(code_call(code), 10);
	CHECK_EQ(sys_mmview_migrate(g[1].view, 0, 0), 1);
	CHECK_EQ(code_call(code), 11);
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "a thread migrates itself and runs the override", self_migrate },
		{ "two threads: other code, same data, same moment (anonymous text)",
		  two_threads_anonymous },
		{ "two threads: other code, same data, same moment (file text)", two_threads_file },
		{ "two threads: other code, same data, same moment (own text)",
		  two_threads_own_text },
		{ "pread shows the view, memory shows the base", pread_shows_the_view },
		{ "an override across a page boundary", across_a_page_boundary },
		{ "overrides in several page tables", many_overrides },
		{ "data beside overridden text is shared", data_beside_the_text },
		{ "two views and the base at the same moment", two_views },
	};

	MMVIEW_MAIN(cases);
}
