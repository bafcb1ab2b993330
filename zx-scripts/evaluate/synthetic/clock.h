// SPDX-License-Identifier: MIT
// Time, in nanoseconds.

#pragma once

#include <stdint.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void rest(long ns)
{
	struct timespec t = { ns / 1000000000, ns % 1000000000 };
	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}
