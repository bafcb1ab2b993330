/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Views: additional address spaces of one process that share everything
 * with its base but some text pages.
 *
 *	int mmview_clone(int pidfd, unsigned int flags);
 *	int mmview_migrate(int view, pid_t tid, unsigned int flags);
 *
 * See mmview_clone(2) and mmview_migrate(2). Every number here is ABI.
 * All structures are the same for 32-bit and 64-bit callers; all addresses
 * are run-time addresses of the target process.
 */
#ifndef _UAPI_LINUX_MMVIEW_H
#define _UAPI_LINUX_MMVIEW_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * mmview_clone() flags.
 *
 * MMVIEW_CLONE_ATTACH: no new view, but a descriptor of the newest view that
 * threads of the process run in or are on their way to; ENOENT if none is.
 * MMVIEW_CLONE_NEWEST: the new view begins as a copy of that newest view: it
 * has its overrides, and its guards besides those that it gets itself. So it
 * is the next generation, for threads of the base and of the views before.
 * Without such a view it begins as a copy of the base, as without the flag.
 */
#define MMVIEW_CLONE_ATTACH		0x1u
#define MMVIEW_CLONE_NEWEST		0x2u

/*
 * mmview_migrate() flags.
 *
 * MMVIEW_MIGRATE_ALL: @tid is the thread group's id; all its threads migrate,
 * those included that are born before the transition is complete. It ends the
 * transition of any older view: no thread is moved there any more.
 * MMVIEW_MIGRATE_ENTRY: leave the stack out of the safety check: only the
 * program counter must be outside the guards.
 * MMVIEW_MIGRATE_COOPERATIVE, with ALL: the kernel moves no thread. Each moves
 * itself where its program knows that it is safe, with MMVIEW_CLONE_ATTACH and
 * then mmview_migrate() with @tid 0.
 *
 * Result: 1 the thread runs in the view now (with ALL: every thread does);
 * 0 the thread will migrate when it is safe.
 */
#define MMVIEW_MIGRATE_ALL		0x1u
#define MMVIEW_MIGRATE_ENTRY		0x2u
#define MMVIEW_MIGRATE_COOPERATIVE	0x4u

/*
 * MMVIEW_IOC_MAP: make the arena of an unsealed view, once per view.
 * Both parts lie within 2 GiB of every byte of [near_start, near_end).
 * The parts are contiguous: the code part first, the data part behind it.
 * The code part is mapped r-x, the data part rw-; neither is ever both
 * writable and executable. /proc/PID/maps shows the data part as
 * "[anon:driftpatch]", and the code part without a name, as perf wants it.
 * The arena goes away with the view if no thread has ever migrated into it.
 */
struct mmview_map {
	__u64 near_start;	/* in */
	__u64 near_end;		/* in */
	__u64 code_size;	/* in: bytes, a multiple of the page size, not 0 */
	__u64 data_size;	/* in: bytes, a multiple of the page size, may be 0 */
	__u64 code_addr;	/* out */
	__u64 data_addr;	/* out: code_addr + code_size */
};

/*
 * MMVIEW_IOC_GUARD: set the guards of an unsealed view, replacing earlier
 * ones. A thread migrates only while neither its program counter nor, without
 * MMVIEW_MIGRATE_ENTRY, any word of its stack lies in one of them.
 * @kind says which ranges count: CHANGED ranges always, BODY ranges only
 * for the strict check (that is, not under MMVIEW_MIGRATE_ENTRY). Guards that
 * came with MMVIEW_CLONE_NEWEST stay, and are numbered behind these.
 */
#define MMVIEW_GUARD_CHANGED		0u
#define MMVIEW_GUARD_BODY		1u

struct mmview_range {
	__u64 start;
	__u64 end;		/* exclusive */
	__u32 kind;
	__u32 reserved;		/* 0 */
};

#define MMVIEW_MAX_GUARDS		4096

struct mmview_guard {
	__u64 ranges;		/* in: pointer to struct mmview_range[nr] */
	__u32 nr;		/* in: at most MMVIEW_MAX_GUARDS */
	__u32 reserved;		/* 0 */
};

/*
 * MMVIEW_IOC_STATE: the transition's state, thread by thread. @nr is the
 * room in @threads on entry and the number of threads of the process on
 * return; at most as many entries as there was room for are filled in.
 */
#define MMVIEW_WHY_NONE			0u	/* migrated */
#define MMVIEW_WHY_NOT_ASKED		1u	/* nobody asked for this thread */
#define MMVIEW_WHY_RUNNING		2u	/* on a CPU, has not passed user mode's door yet */
#define MMVIEW_WHY_PC			3u	/* @where, its pc, is in guard @guard */
#define MMVIEW_WHY_STACK		4u	/* @where, a word of its stack, is in @guard */
#define MMVIEW_WHY_SIGNAL_STACK		5u	/* on an alternate signal stack */
#define MMVIEW_WHY_UPROBE		6u	/* under an active uprobe or uretprobe */
#define MMVIEW_WHY_STACK_UNREADABLE	7u	/* no stack at sp, or too deep to check */
#define MMVIEW_WHY_TRACED		8u	/* a debugger holds it */
#define MMVIEW_WHY_SAFE_POINT		9u	/* has to come to a safe point of its own */

struct mmview_thread {
	__u32 tid;		/* in the caller's pid namespace */
	__u32 migrated;		/* 1: runs in this view */
	__u32 why;		/* MMVIEW_WHY_* */
	__u32 guard;		/* index into the guards, for PC and STACK */
	__u64 where;		/* run-time address, for PC and STACK */
	__u64 slot;		/* address of the stack word, for STACK */
	__u64 when;		/* it migrated, CLOCK_MONOTONIC in us; 0: born there */
};

#define MMVIEW_STATE_SEALED		0x1u
#define MMVIEW_STATE_COMPLETE		0x2u	/* every thread runs in this view */
#define MMVIEW_STATE_FOLDED		0x4u
#define MMVIEW_STATE_SUPERSEDED		0x8u	/* a newer view's transition has begun */

struct mmview_state {
	__u64 threads;		/* in: pointer to struct mmview_thread[nr], or 0 */
	__u32 nr;		/* in and out */
	__u32 migrated;		/* out: threads that run in this view */
	__u32 flags;		/* out: MMVIEW_STATE_* */
	__u32 overrides;	/* out: pages the view has for itself */
	__u64 reserved;		/* 0 */
};

#define MMVIEW_IOC_MAP		_IOWR('V', 0xa0, struct mmview_map)
#define MMVIEW_IOC_GUARD	_IOW('V', 0xa1, struct mmview_guard)
#define MMVIEW_IOC_SEAL		_IO('V', 0xa2)
#define MMVIEW_IOC_STATE	_IOWR('V', 0xa3, struct mmview_state)
#define MMVIEW_IOC_FOLD		_IO('V', 0xa4)

#endif /* _UAPI_LINUX_MMVIEW_H */
