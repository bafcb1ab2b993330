/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What task_struct and the TLB code need to know of views, and nothing else.
 */
#ifndef _LINUX_MMVIEW_TYPES_H
#define _LINUX_MMVIEW_TYPES_H

#include <linux/types.h>

struct mm_struct;

/*
 * The part of a view that the context switch looks at. It is the first member
 * of struct mmview and does not change during the view's life.
 */
struct mmview_root {
	struct mm_struct *mm;		/* the base, mmgrab()ed */
	void *pgd;			/* pgd_t *, of the view's own */
	u64 ctx_id;			/* names the view in cpu_tlbstate.ctxs */
};

/*
 * A task's part in views. Legal states:
 *
 *	view	target	meaning
 *	NULL	NULL	in the base, nothing asked
 *	NULL	V	in the base, on its way to V
 *	V	NULL	in V
 *	V	W	in V, on its way to W
 *
 * Both pointers hold a reference. They change only
 *	- by the task itself, interrupts off, or
 *	- while the task is off its CPU, under task_lock() and task_call_func(),
 *	- while a fold's IPI runs on the task's CPU (view -> NULL only).
 * So current may read its own with interrupts off, and the context switch may
 * read those of the task it switches to.
 */
struct mmview_task {
	struct mmview_root *view;
	struct mmview_root *target;
	unsigned int invalidating;	/* nesting of mmu notifier ranges */
	unsigned int invalidations;	/* outermost ranges that have ended */
	u32 looks;			/* at itself, since it was last asked */
	/* why the last safety check said no: MMVIEW_WHY_*, for people */
	u32 why;
	u32 guard;
	u64 where;
	u64 slot;
};

#endif /* _LINUX_MMVIEW_TYPES_H */
