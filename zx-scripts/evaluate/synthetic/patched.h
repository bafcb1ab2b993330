// SPDX-License-Identifier: MIT
// What is patched: NEW gives other answers. step(), which each thread calls once a round; nested(), which calls itself; and SIZE functions
// more, a power of ten, of which each thread calls one a round. Nothing of it is inlined.

#pragma once

#include "clock.h"

static volatile unsigned long sink;

static __attribute__((noinline)) void work(int rounds)
{
	for (int i = 0; i < rounds; i++)
		sink += (unsigned long)i;
}

#ifdef NEW
#define FACTOR 5
#else
#define FACTOR 3
#endif

__attribute__((noinline)) long step(long of, long stay)
{
	if (stay)
		rest(stay);
	return (of + 1) * FACTOR;
}

__attribute__((noinline)) long nested(long of, int depth)
{
	long below = 0;
	if (depth > 0)
		below = nested(of, depth - 1);
	else
		work(2000);
	sink++;
	return below + of * FACTOR;
}

// And so many more.
#define ONE(n) \
	__attribute__((noinline)) long more_##n(long of) \
	{ \
		sink += (unsigned long)of; \
		return of * FACTOR + 1##n; \
	}
#define NAME(n) more_##n,
#define TEN(what, n) \
	what(n##0) what(n##1) what(n##2) what(n##3) what(n##4) what(n##5) what(n##6) what(n##7) what(n##8) what(n##9)
#define HUNDRED(what, n) \
	TEN(what, n##0) TEN(what, n##1) TEN(what, n##2) TEN(what, n##3) TEN(what, n##4) TEN(what, n##5) TEN(what, n##6) \
	TEN(what, n##7) TEN(what, n##8) TEN(what, n##9)
#define THOUSAND(what) \
	HUNDRED(what, 0) HUNDRED(what, 1) HUNDRED(what, 2) HUNDRED(what, 3) HUNDRED(what, 4) HUNDRED(what, 5) \
	HUNDRED(what, 6) HUNDRED(what, 7) HUNDRED(what, 8) HUNDRED(what, 9)
#if SIZE == 1000
#define ALL(what) THOUSAND(what)
#elif SIZE == 100
#define ALL(what) HUNDRED(what, 0)
#elif SIZE == 10
#define ALL(what) TEN(what, 0)
#else
#define ALL(what) what(0)
#endif
ALL(ONE)
static long (*const more[])(long) = { ALL(NAME) };
#define MORE (sizeof(more) / sizeof(more[0]))
