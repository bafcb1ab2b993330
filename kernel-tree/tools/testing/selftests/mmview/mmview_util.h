/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all mmview tests share: the system calls, pages of code whose return
 * value tells which text runs, and cases that run in a process of their own.
 *
 * Invariant: every case runs in a forked child, so a case that migrates leaves
 * nothing behind; after each one the kernel's count of live views must be what
 * it was before.
 */
#ifndef MMVIEW_UTIL_H
#define MMVIEW_UTIL_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../../../include/uapi/linux/mmview.h"

#ifndef __NR_mmview_clone
#define __NR_mmview_clone	500
#endif
#ifndef __NR_mmview_migrate
#define __NR_mmview_migrate	501
#endif

#define PAGE		4096UL
#define ZONE		(2UL << 20)	/* what one page table spans */
#define OLD		1		/* what untouched code pages return */
#define NEW		2		/* what overridden ones return, by habit */

int sys_mmview_clone(int pidfd, unsigned int flags);
int sys_mmview_migrate(int view, pid_t tid, unsigned int flags);
int sys_pidfd_open(pid_t pid);
pid_t sys_gettid(void);

/* One case: KSFT_PASS, KSFT_FAIL or KSFT_SKIP. */
struct mmview_case {
	const char *name;
	int (*run)(void);
};

/*
 * Header, skip where the calls are missing, every case, no view left, exit. The
 * environment's MMVIEW_CASE, part of a name, leaves out the other cases.
 */
extern int mmview_case_timeout_s;
extern const char *mmview_case_name;	/* in a case: which one it is */
void mmview_main(const struct mmview_case *cases, unsigned int nr) __attribute__((noreturn));
#define MMVIEW_MAIN(cases) mmview_main(cases, sizeof(cases) / sizeof((cases)[0]))

/* Says why, and is the result of a case that cannot be run here. */
int case_skip(const char *why);

/* Prints where and why, and ends the calling process (all its threads). */
void mmview_fail(const char *file, int line, const char *what, int err, const char *format, ...)
	__attribute__((noreturn, format(printf, 5, 6)));
#define CHECK_MSG(cond, ...) \
	((cond) ? (void)0 : mmview_fail(__FILE__, __LINE__, #cond, errno, __VA_ARGS__))
#define CHECK(cond) CHECK_MSG(cond, " ")
#define CHECK_EQ(a, b) do {							\
	long long a_ = (long long)(a), b_ = (long long)(b);			\
	CHECK_MSG(a_ == b_, "%s is %lld, expected %lld", #a, a_, b_);		\
} while (0)
/* The call fails with exactly this errno. */
#define CHECK_ERR(call, err) do {						\
	long long r_;								\
										\
	errno = 0;								\
	r_ = (long long)(call);							\
	CHECK_MSG(r_ == -1 && errno == (err),					\
		  "gave %lld, expected -1 with errno %d", r_, (err));		\
} while (0)
/* Wait, at most some seconds, until it becomes true. */
#define SOON	60
#define EVENTUALLY(cond) do {							\
	long long end_ = now_ns() + SOON * 1000000000LL;			\
										\
	while (!(cond)) {							\
		CHECK_MSG(now_ns() < end_, "not so after %d s", SOON);		\
		sleep_ms(1);							\
	}									\
} while (0)

long long now_ns(void);
void sleep_ms(long ms);

/*
 * Code pages: mapped r-x, private; page i holds "mov $OLD, %eax; ret" at its
 * start and int3 elsewhere.
 */
enum code_kind { CODE_ANON, CODE_FILE };
#define STUB_SIZE	6
void *code_map(enum code_kind kind, size_t pages);
void *code_map_at(void *address, enum code_kind kind, size_t pages);
void stub_write(void *to, int value);
int code_call(const void *code);
/* @zones aligned page tables' worth of addresses, reserved: to map into. */
char *zones_reserve(size_t zones);
char *data_map_at(void *address, size_t pages);	/* private, anonymous, rw- */

/* Views. */
int view_of(pid_t pid);				/* a new view, or CHECK fails */
void view_patch(int view, const void *code, int value);
int view_value(int view, const void *code);	/* what the stub there would return */
struct mmview_state view_state(int view, struct mmview_thread *threads, unsigned int nr);
struct mmview_thread view_thread(int view, pid_t tid);
long task_view(pid_t pid, pid_t tid);		/* /proc/PID/task/TID/mmview */
int views_alive(void);				/* -1: debugfs does not say */

/*
 * A thread that calls functions for another one, from where it is: the base,
 * if it was started there.
 */
struct helper;
struct helper *helper_start(void);
long helper_call(struct helper *helper, long (*fn)(void *), void *arg);

/*
 * Two sides of one process, for tests of what else is in a zone: the caller is
 * in @view, where @code returns NEW; @base is a thread in the base, where it
 * returns OLD. Data and code lie in the same zone.
 */
#define SIDES_CODE	400	/* page in the zone; @data has at most as many */
struct sides {
	char *zone, *code, *data;
	int view;
	struct helper *base;
};

struct sides sides_make(enum code_kind kind, size_t data_pages);
long base_read(const struct sides *s, const void *at);		/* a long, from the base */
void base_write(const struct sides *s, void *at, long value);
long base_code(const struct sides *s);				/* what @code returns there */
void sides_check(const struct sides *s);			/* NEW here, OLD there */

/* Memory that a case and the processes it forks have in common. */
void *shared_alloc(size_t size);
/* Fork a child that dies with its parent and runs fn, then exits with its result. */
pid_t spawn(int (*fn)(void *), void *arg);
int reap(pid_t pid);				/* exit status, or 256 + signal */

#endif
