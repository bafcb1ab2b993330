// SPDX-License-Identifier: MIT
// What a thread does in a round, by its kind.

#pragma once

#include "patched.h"
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum kind { SPIN, COMPUTE, RECURSE, NEST, SLEEP, FUTEX, PIPE, SOCKET, SIGNAL, POLL, SELECT, LOCK, KINDS };
static const char *const names[KINDS] = { "spin",   "compute", "recurse", "nest",   "sleep", "futex",
					  "pipe",   "socket",  "signal",  "poll",   "select", "lock" };

struct means {
	int ends[2]; // of a pipe or a socket pair
	int poll;
};

static pthread_mutex_t wanted = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint32_t never;
static const long pause_ns = 5000000;

static double numbers[64];

static __attribute__((noinline)) void compute(void)
{
	double sum = 0;
	for (int i = 0; i < 2000; i++)
		sum += numbers[i % 64] * 1.0000001 + 0.5;
	sink += (unsigned long)sum;
}

static __attribute__((noinline)) void deep(int depth)
{
	if (depth > 0)
		deep(depth - 1);
	else
		work(2000);
	sink++;
}

static void one_round(enum kind kind, long number, const struct means *t)
{
	char byte = 0;
	struct epoll_event event;
	struct timespec time_out = { 0, pause_ns };
	sigset_t usr1;
	switch (kind) {
	case SPIN:
		work(2000);
		break;
	case COMPUTE:
		compute();
		break;
	case RECURSE:
		deep(40);
		break;
	case NEST:
		sink += (unsigned long)nested(number, 40);
		break;
	case SLEEP:
		rest(pause_ns);
		break;
	case FUTEX:
		syscall(SYS_futex, &never, FUTEX_WAIT_PRIVATE, 0, &time_out, NULL, 0);
		break;
	case PIPE:
		if (write(t->ends[1], &byte, 1) != 1 || read(t->ends[0], &byte, 1) != 1)
			abort();
		rest(pause_ns);
		break;
	case SOCKET:
		recv(t->ends[0], &byte, 1, 0);
		break;
	case SIGNAL:
		sigemptyset(&usr1);
		sigaddset(&usr1, SIGUSR1);
		sigtimedwait(&usr1, NULL, &time_out);
		break;
	case POLL:
		epoll_wait(t->poll, &event, 1, (int)(pause_ns / 1000000));
		break;
	case SELECT:
		pselect(0, NULL, NULL, NULL, &time_out, NULL);
		break;
	default:
		pthread_mutex_lock(&wanted);
		work(200);
		pthread_mutex_unlock(&wanted);
		rest(pause_ns);
	}
}

static int make_means(enum kind kind, struct means *t)
{
	struct timeval time_out = { 0, pause_ns / 1000 };
	if (kind == PIPE)
		return pipe(t->ends);
	if (kind == POLL)
		return (t->poll = epoll_create1(0)) < 0;
	if (kind != SOCKET)
		return 0;
	return socketpair(AF_UNIX, SOCK_STREAM, 0, t->ends) ||
	       setsockopt(t->ends[0], SOL_SOCKET, SO_RCVTIMEO, &time_out, sizeof(time_out));
}
