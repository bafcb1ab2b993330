// SPDX-License-Identifier: GPL-2.0
/*
 * The safety check: may this thread migrate now?
 *
 * Conservative in one direction only. Any word on the stack that could be a
 * return address into a guard counts as one, whether a frame is there or not,
 * so code without frame pointers or unwind information, PLT resolvers, vDSO
 * and hand-written assembly need no special care. What it cannot see it calls
 * unsafe. It does not see contexts that a program keeps elsewhere (coroutines):
 * bodies of old functions are never overwritten, and such programs use safe
 * points.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/uprobes.h>
#include "internal.h"

/* A stack that is used deeper than this is not searched. */
#define MAX_STACK	SZ_8M
/* Words looked at in one go; they live on the kernel's stack. */
#define CHUNK_WORDS	64
#define CHUNK		(CHUNK_WORDS * sizeof(long))

static void no(struct mmview_verdict *verdict, u32 why, u32 guard, u64 where,
	       u64 slot)
{
	verdict->why = why;
	verdict->guard = guard;
	verdict->where = where;
	verdict->slot = slot;
}

static bool counts(struct mmview *view, struct mmview_range *range)
{
	return range->kind == MMVIEW_GUARD_CHANGED || !view->entry;
}

/*
 * The instruction at @ip is about to run. @ip - 2 as well: a system call that
 * is restarted runs again from there.
 */
static bool pc_unsafe(struct mmview *view, unsigned long ip,
		      struct mmview_verdict *verdict)
{
	unsigned int i;

	for (i = 0; i < view->nr_guards; i++) {
		struct mmview_range *range = &view->guards[i];

		if (counts(view, range) &&
		    ((ip >= range->start && ip < range->end) ||
		     (ip - 2 >= range->start && ip - 2 < range->end))) {
			no(verdict, MMVIEW_WHY_PC, i, ip, 0);
			return true;
		}
	}
	return false;
}

/*
 * A return address is behind the call it returns from: never the first byte
 * of a range (that is a function pointer), and the end for a call that is the
 * last instruction.
 */
static bool words_unsafe(struct mmview *view, const unsigned long *words,
			 unsigned int nr, unsigned long addr,
			 struct mmview_verdict *verdict)
{
	unsigned int i, j;

	for (i = 0; i < nr; i++) {
		unsigned long word = words[i];

		if (word <= view->guard_min || word > view->guard_max)
			continue;
		for (j = 0; j < view->nr_guards; j++) {
			struct mmview_range *range = &view->guards[j];

			if (counts(view, range) &&
			    word > range->start && word <= range->end) {
				no(verdict, MMVIEW_WHY_STACK, j, word,
				   addr + i * sizeof(word));
				return true;
			}
		}
	}
	return false;
}

/*
 * Not now, whatever the stack holds: its interrupted half is elsewhere. @task
 * is current, or held off its CPU by task_call_func().
 */
bool mmview_context_unsafe(struct task_struct *task, unsigned long sp,
			   struct mmview_verdict *verdict)
{
	if (task->sas_ss_size && sp > task->sas_ss_sp &&
	    sp - task->sas_ss_sp <= task->sas_ss_size) {
		no(verdict, MMVIEW_WHY_SIGNAL_STACK, 0, 0, 0);
		return true;
	}
#ifdef CONFIG_UPROBES
	if (task->utask && (task->utask->active_uprobe ||
			    task->utask->return_instances)) {
		no(verdict, MMVIEW_WHY_UPROBE, 0, 0, 0);
		return true;
	}
#endif
	return false;
}

/* The stack in use: [sp rounded up, end of its mapping). False: none, or deep. */
static bool stack_range(struct mm_struct *mm, unsigned long *sp,
			unsigned long *end)
{
	struct vm_area_struct *vma;

	mmap_assert_locked(mm);
	*sp = ALIGN(*sp, sizeof(long));
	vma = vma_lookup(mm, *sp);
	if (!vma)
		return false;
	*end = vma->vm_end;
	return *end - *sp <= MAX_STACK;
}

typedef bool (*read_stack_t)(struct mm_struct *mm, unsigned long addr,
			     void *buf, size_t len);

/* Without waiting for a page: an absent one means "not now". */
static bool read_own(struct mm_struct *mm, unsigned long addr, void *buf,
		     size_t len)
{
	return !copy_from_user_nofault(buf, (void __user *)addr, len);
}

static bool read_remote(struct mm_struct *mm, unsigned long addr, void *buf,
			size_t len)
{
	return access_remote_vm(mm, addr, buf, len, 0) == len;
}

static void check_stack(struct mmview *view, unsigned long sp,
			unsigned long end, read_stack_t read,
			struct mmview_verdict *verdict)
{
	unsigned long words[CHUNK_WORDS];

	while (sp < end) {
		/* Up to the next multiple of a chunk: never across pages. */
		size_t len = min(end, ALIGN(sp + 1, CHUNK)) - sp;

		if (!read(view->root.mm, sp, words, len)) {
			no(verdict, MMVIEW_WHY_STACK_UNREADABLE, 0, 0, sp);
			return;
		}
		if (words_unsafe(view, words, len / sizeof(long), sp, verdict))
			return;
		sp += len;
	}
}

/*
 * current, on its way to user mode with @regs. Waits for nothing: if mmap_lock
 * is not free at once, or a page of the stack is absent, the answer is "not now".
 */
void mmview_check_self(struct mmview *view, struct pt_regs *regs,
		       struct mmview_verdict *verdict)
{
	struct mm_struct *mm = view->root.mm;
	unsigned long sp = regs->sp, end;
	bool found;

	no(verdict, MMVIEW_WHY_NONE, 0, 0, 0);
	if (pc_unsafe(view, regs->ip, verdict) ||
	    mmview_context_unsafe(current, sp, verdict) || view->entry ||
	    !view->nr_guards)
		return;
	if (!mmap_read_trylock(mm)) {
		no(verdict, MMVIEW_WHY_RUNNING, 0, 0, 0);
		return;
	}
	found = stack_range(mm, &sp, &end);
	mmap_read_unlock(mm);
	if (!found)
		no(verdict, MMVIEW_WHY_STACK_UNREADABLE, 0, 0, sp);
	else
		check_stack(view, sp, end, read_own, verdict);
}

/*
 * A thread that was off its CPU with @ip and @sp in user mode. It may run any
 * time: the caller confirms afterwards that it did not.
 */
void mmview_check_blocked(struct mmview *view, unsigned long ip,
			  unsigned long sp,
			  struct mmview_verdict *verdict)
{
	struct mm_struct *mm = view->root.mm;
	unsigned long end;
	bool found;

	no(verdict, MMVIEW_WHY_NONE, 0, 0, 0);
	if (pc_unsafe(view, ip, verdict) || view->entry || !view->nr_guards)
		return;
	mmap_read_lock(mm);
	found = stack_range(mm, &sp, &end);
	mmap_read_unlock(mm);
	if (!found)
		no(verdict, MMVIEW_WHY_STACK_UNREADABLE, 0, 0, sp);
	else
		check_stack(view, sp, end, read_remote, verdict);
}

/*
 * A running thread could not read its stack at @sp without waiting. We can
 * wait: bring in what is absent from there on.
 */
void mmview_fault_in_stack(struct mmview *view, unsigned long sp)
{
	struct mmview_verdict unused;

	mmview_check_blocked(view, 0, sp, &unused);
}
