// SPDX-License-Identifier: GPL-2.0
/*
 * A switch between two threads loads CR3 if their views differ, and only then.
 *
 * Two threads hand a token to and fro on one CPU, and the kernel traces its
 * context switches and its loads of CR3 there (tlb:tlb_flush, whose reason 0 is
 * "flush on task switch"; it is traced with and without a flush). Only direct
 * switches from one to the other count. Needs tracefs, which the debug kernel
 * has.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mmview_util.h"
#include "trace.h"

#define KSFT_SKIP	4
#define TURNS		300
#define ENOUGH		100		/* direct switches */

struct player {
	struct game *game;
	int view;			/* -1: the base */
	int in, out;
	pid_t tid;
};

struct game {
	struct player player[2];
	pthread_barrier_t begin;
	struct trace trace;
	int switches, loads;
};

/* ------------------------------------------------------------------------
 * The trace
 */

static bool have_trace(void)
{
	return trace_has("tlb/tlb_flush") && trace_has("sched/sched_switch");
}

static struct trace begin_trace(void)
{
	struct trace trace = trace_begin("2048");

	trace_set(&trace, "tracing_cpumask", "1");
	trace_set(&trace, "events/sched/sched_switch/enable", "1");
	trace_set(&trace, "events/tlb/tlb_flush/enable", "1");
	return trace;
}

/* A number behind a word of a line. */
static long field(const char *line, const char *word)
{
	const char *at = strstr(line, word);

	return at ? atol(at + strlen(word)) : -1;
}

static void read_trace(struct game *g)
{
	pid_t a = g->player[0].tid, b = g->player[1].tid;
	FILE *trace = trace_open(&g->trace);
	char line[512];
	bool ours = false;

	while (fgets(line, sizeof(line), trace)) {
		if (strstr(line, ": sched_switch: ")) {
			long from = field(line, " prev_pid="), to = field(line, " next_pid=");

			ours = (from == a && to == b) || (from == b && to == a);
			g->switches += ours;
		} else if (ours && strstr(line, ": tlb_flush: ") && strstr(line, "(0)")) {
			g->loads++;
			ours = false;		/* one for each switch */
		}
	}
	CHECK(!fclose(trace));
}

/* ------------------------------------------------------------------------
 * The game
 */

static void *play(void *arg)
{
	struct player *p = arg;
	bool first = p == p->game->player;
	cpu_set_t cpu0;
	char token = 0;

	CPU_ZERO(&cpu0);
	CPU_SET(0, &cpu0);
	CHECK(!sched_setaffinity(0, sizeof(cpu0), &cpu0));
	p->tid = sys_gettid();
	if (p->view >= 0)
		CHECK_EQ(sys_mmview_migrate(p->view, 0, 0), 1);
	pthread_barrier_wait(&p->game->begin);
	if (first)
		trace_set(&p->game->trace, "tracing_on", "1");
	for (int i = 0; i < TURNS; i++) {
		if (first)
			CHECK_EQ(write(p->out, &token, 1), 1);
		CHECK_EQ(read(p->in, &token, 1), 1);
		if (!first)
			CHECK_EQ(write(p->out, &token, 1), 1);
	}
	if (first)
		trace_set(&p->game->trace, "tracing_on", "0");
	return NULL;
}

/* The players' views; both end in the trace's figures. */
static struct game play_game(int view_a, int view_b)
{
	struct game g = { .player = { { .view = view_a }, { .view = view_b } } };
	pthread_t thread[2];
	int there[2], back[2];

	g.trace = begin_trace();
	pthread_barrier_init(&g.begin, NULL, 2);
	CHECK(!pipe2(there, O_CLOEXEC) && !pipe2(back, O_CLOEXEC));
	g.player[0].in = back[0];
	g.player[0].out = there[1];
	g.player[1].in = there[0];
	g.player[1].out = back[1];
	for (int i = 0; i < 2; i++) {
		g.player[i].game = &g;
		CHECK(!pthread_create(&thread[i], NULL, play, &g.player[i]));
	}
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_join(thread[i], NULL));
	read_trace(&g);
	trace_end(&g.trace);
	printf("# %d direct switches, %d loads of CR3\n", g.switches, g.loads);
	fflush(stdout);
	CHECK_MSG(g.switches >= ENOUGH, "only %d of %d were direct", g.switches, 2 * TURNS);
	return g;
}

/*
 * A flush that a thread of the kernel's has put off while it ran in between is
 * made up for by a load as well: one switch in twenty may be of that kind.
 */
static bool few_loads(struct game g)
{
	return g.loads <= g.switches / 20;
}

static int view_with_override(void)
{
	int view = view_of(getpid());

	view_patch(view, code_map(CODE_ANON, 1), NEW);
	return view;
}

static int two_threads_of_the_base(void)
{
	if (!have_trace())
		return KSFT_SKIP;
	CHECK(few_loads(play_game(-1, -1)));
	return 0;
}

static int two_threads_of_the_base_beside_a_view(void)
{
	if (!have_trace())
		return KSFT_SKIP;
	view_with_override();
	CHECK(few_loads(play_game(-1, -1)));
	return 0;
}

static int two_threads_of_one_view(void)
{
	int view = view_with_override();

	if (!have_trace())
		return KSFT_SKIP;
	CHECK(few_loads(play_game(view, view)));
	return 0;
}

static int base_and_view(void)
{
	struct game g;

	if (!have_trace())
		return KSFT_SKIP;
	g = play_game(-1, view_with_override());
	CHECK(g.loads <= g.switches + g.switches / 20 &&
	      g.loads >= g.switches - g.switches / 20);
	return 0;
}

static int two_views(void)
{
	struct game g;

	if (!have_trace())
		return KSFT_SKIP;
	g = play_game(view_with_override(), view_with_override());
	CHECK(g.loads <= g.switches + g.switches / 20 &&
	      g.loads >= g.switches - g.switches / 20);
	return 0;
}

static int after_the_fold(void)
{
	int view = view_with_override();

	if (!have_trace())
		return KSFT_SKIP;
	EVENTUALLY(sys_mmview_migrate(view, getpid(), MMVIEW_MIGRATE_ALL) == 1);
	CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
	CHECK(few_loads(play_game(-1, -1)));
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "two threads of the base: no load", two_threads_of_the_base },
		{ "the same while a view exists", two_threads_of_the_base_beside_a_view },
		{ "two threads of one view: no load", two_threads_of_one_view },
		{ "base and view: a load per switch", base_and_view },
		{ "two views: a load per switch", two_views },
		{ "after the fold: no load", after_the_fold },
	};

	MMVIEW_MAIN(cases);
}
