// SPDX-License-Identifier: MIT
// Classic global quiescence, compiled into a server to be compared with: a barrier that every thread has to reach before any goes on.
// Patches of ours (quiescence-NAME.patch) put its calls into the servers' own loops.
//
//   quiescence_enter()   this thread runs the server's code from now on; it waits here while a barrier is up
//   quiescence_leave()   it does not any more, and nobody waits for it
//   quiescence_loop()    as enter, and for ever: it is woken if it has to come
//   quiescence_point()   it holds no lock here and is in the middle of nothing: one load, unless a barrier is up
//
// Who connects to the socket /tmp/quiescence-PID and sends a byte raises the barrier, and gets a line: the microseconds until
// the last thread had come, and until the last one had gone on. Between the two a patch would be written: that is not done, and not
// counted either. A loop that waits in a system call is woken by a signal, again and again until it comes; one of libevent's, which
// does not come back for that, by an event.
//
// Everything is weak, so that several files of a program may include it.

#pragma once
#pragma GCC system_header // servers have warnings of their own, and take them for errors

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define QUIESCENCE __attribute__((weak))
#define QUIESCENCE_SIGNAL (SIGRTMIN + 9)
#define QUIESCENCE_MAX 256

struct quiescence_thread {
	int tid;
	int inside;
	int wake; // what wakes it: the descriptor of an event, -1 a signal, 0 nothing
};

struct quiescence {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	volatile int up;
	int inside; // how many threads are
	int waiting; // how many wait for the barrier to go
	int known;
	struct quiescence_thread threads[QUIESCENCE_MAX];
};

#ifdef __cplusplus
extern "C" {
#endif

QUIESCENCE struct quiescence quiescence = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, 0, { { 0, 0, 0 } } };
QUIESCENCE __thread struct quiescence_thread *quiescence_self;

QUIESCENCE long quiescence_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

QUIESCENCE void quiescence_wake(struct quiescence_thread *thread)
{
	unsigned long long one = 1;
	if (thread->wake < 0)
		syscall(SYS_tgkill, getpid(), thread->tid, QUIESCENCE_SIGNAL);
	else if (thread->wake > 0 && write(thread->wake, &one, sizeof(one)) < 0)
		perror("quiescence");
}

QUIESCENCE void quiescence_barrier(int to)
{
	char line[64];
	struct quiescence *q = &quiescence;
	pthread_mutex_lock(&q->lock);
	long begun = quiescence_now();
	q->up = 1;
	for (int awake = 0; q->inside > 0; awake++) {
		struct timespec soon;
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_nsec += 1000000;
		if (soon.tv_nsec >= 1000000000) {
			soon.tv_nsec -= 1000000000;
			soon.tv_sec++;
		}
		for (int i = 0; i < q->known; i++)
			// An event is not missed; a signal may come just before the system call.
			if (q->threads[i].inside && (awake == 0 || q->threads[i].wake < 0))
				quiescence_wake(&q->threads[i]);
		pthread_cond_timedwait(&q->changed, &q->lock, &soon);
	}
	long come = quiescence_now();
	q->up = 0;
	pthread_cond_broadcast(&q->changed);
	while (q->waiting > 0)
		pthread_cond_wait(&q->changed, &q->lock);
	long gone = quiescence_now();
	pthread_mutex_unlock(&q->lock);
	int length = snprintf(line, sizeof(line), "%ld %ld\n", come - begun, gone - begun);
	if (write(to, line, (size_t)length) != length)
		perror("quiescence");
}

QUIESCENCE void *quiescence_serve(void *unused)
{
	char byte;
	struct sockaddr_un name;
	(void)unused;
	memset(&name, 0, sizeof(name));
	name.sun_family = AF_UNIX;
	snprintf(name.sun_path, sizeof(name.sun_path), "/tmp/quiescence-%d", (int)getpid());
	unlink(name.sun_path);
	int at = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (at < 0 || bind(at, (struct sockaddr *)&name, sizeof(name)) || listen(at, 1)) {
		perror("quiescence");
		return NULL;
	}
	for (;;) {
		int from = accept(at, NULL, NULL);
		while (from >= 0 && read(from, &byte, 1) == 1)
			quiescence_barrier(from);
		if (from >= 0)
			close(from);
	}
	return NULL;
}

QUIESCENCE void quiescence_woken(int number)
{
	(void)number;
}

QUIESCENCE void quiescence_know(void)
{
	struct quiescence *q = &quiescence;
	if (q->known == 0) {
		pthread_t server;
		struct sigaction action;
		memset(&action, 0, sizeof(action));
		action.sa_handler = quiescence_woken;
		sigaction(QUIESCENCE_SIGNAL, &action, NULL);
		if (pthread_create(&server, NULL, quiescence_serve, NULL))
			perror("quiescence");
	}
	if (q->known == QUIESCENCE_MAX)
		return;
	quiescence_self = &q->threads[q->known++];
	quiescence_self->tid = (int)syscall(SYS_gettid);
}

QUIESCENCE void quiescence_enter(void)
{
	struct quiescence *q = &quiescence;
	pthread_mutex_lock(&q->lock);
	if (!quiescence_self)
		quiescence_know();
	q->waiting++;
	while (q->up)
		pthread_cond_wait(&q->changed, &q->lock);
	if (--q->waiting == 0)
		pthread_cond_broadcast(&q->changed);
	if (quiescence_self)
		quiescence_self->inside = 1;
	q->inside++;
	pthread_mutex_unlock(&q->lock);
}

QUIESCENCE void quiescence_leave(void)
{
	struct quiescence *q = &quiescence;
	pthread_mutex_lock(&q->lock);
	if (quiescence_self)
		quiescence_self->inside = 0;
	if (--q->inside == 0)
		pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

QUIESCENCE void quiescence_loop(void)
{
	quiescence_enter();
	if (quiescence_self)
		quiescence_self->wake = -1;
}

static inline void quiescence_point(void)
{
	if (!quiescence.up)
		return;
	quiescence_leave();
	quiescence_enter();
}

#ifdef EV_PERSIST // libevent's
QUIESCENCE void quiescence_event(evutil_socket_t from, short what, void *unused)
{
	unsigned long long count;
	(void)what;
	(void)unused;
	if (read(from, &count, sizeof(count)) < 0 && errno != EAGAIN)
		perror("quiescence");
	quiescence_point();
}

// The same, before this thread runs the loop of `base`.
QUIESCENCE void quiescence_libevent(struct event_base *base, struct event *event)
{
	int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	quiescence_enter();
	event_set(event, wake, EV_READ | EV_PERSIST, quiescence_event, NULL);
	event_base_set(base, event);
	if (wake < 0 || event_add(event, NULL))
		perror("quiescence");
	else if (quiescence_self)
		quiescence_self->wake = wake;
}
#endif

#ifdef __cplusplus
}
#endif
