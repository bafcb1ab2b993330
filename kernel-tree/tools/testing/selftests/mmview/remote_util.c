// SPDX-License-Identifier: GPL-2.0
/*
 * Targets for the tests that migrate the threads of another process.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote.h"

int target_enter(struct member *m)
{
	atomic_store(&m->tid, sys_gettid());
	return 0;
}

void target_call_until_stop(struct target *t, struct member *m)
{
	do {
		atomic_store(&m->last, code_call(t->code));
		atomic_fetch_add(&m->calls, 1);
	} while (!atomic_load(&t->stop));
}

struct target *target_start(char *code, int (*fn)(void *), int kind)
{
	struct target *t = shared_alloc(sizeof(*t));

	t->code = code;
	t->kind = kind;
	CHECK(!pipe(t->pipe));
	t->pid = spawn(fn, t);
	t->view = view_of(t->pid);
	return t;
}

static void read_proc(struct target *t, struct member *m, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", t->pid, atomic_load(&m->tid), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_MSG(fd >= 0, "%s", path);
	n = read(fd, text, size - 1);
	CHECK(n > 0);
	text[n] = '\0';
	close(fd);
}

bool target_blocked(struct target *t, struct member *m)
{
	char text[1024], *state;

	read_proc(t, m, "stat", text, sizeof(text));
	state = strrchr(text, ')');
	CHECK(state);
	return state[2] == 'S';
}

long target_switches(struct target *t, struct member *m)
{
	static const char *const fields[] = { "\nvoluntary_ctxt_switches:",
					      "\nnonvoluntary_ctxt_switches:" };
	char text[4096], *at;
	long sum = 0;

	read_proc(t, m, "status", text, sizeof(text));
	for (int i = 0; i < 2; i++) {
		at = strstr(text, fields[i]);
		CHECK(at);
		sum += atol(at + strlen(fields[i]));
	}
	return sum;
}

void target_wait_inside(struct target *t, int nr)
{
	for (int i = 0; i < nr; i++)
		EVENTUALLY(atomic_load(&t->member[i].inside));
}

void target_end(struct target *t)
{
	atomic_store(&t->release, 1);
	atomic_store(&t->stop, 1);
	CHECK_EQ(reap(t->pid), 0);
}

void view_guard(int view, const void *start, size_t size, unsigned int kind)
{
	struct mmview_range range = { (uintptr_t)start, (uintptr_t)start + size, kind, 0 };
	struct mmview_guard guard = { (uintptr_t)&range, 1, 0 };

	CHECK(!ioctl(view, MMVIEW_IOC_GUARD, &guard));
}
