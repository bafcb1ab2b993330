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
#include <asm/sigframe.h>
#include <asm/ucontext.h>
#include "internal.h"

/* A stack that is used deeper than this is not searched. */
#define MAX_STACK	SZ_8M
/* Words of its own stack that a thread looks at in one go. */
#define CHUNK_WORDS	64
#define CHUNK		(CHUNK_WORDS * sizeof(long))
/* Pages of another thread's stack that are looked at in one go. */
#define CHUNK_PAGES	16

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
	/* A debugger's breakpoints are in the text that the thread had then. */
	if (READ_ONCE(task->ptrace)) {
		no(verdict, MMVIEW_WHY_TRACED, 0, 0, 0);
		return true;
	}
	if (task->sas_ss_size && !mmview_without(MMVIEW_PART_SIGNAL) && sp > task->sas_ss_sp &&
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

/*
 * A signal's frame begins with the address that the handler returns to. What
 * the signal has interrupted may be on another stack: that of a handler set
 * up with SS_AUTODISARM cannot be told from @sp, and frames can be nested.
 */
static void find_restorers(struct task_struct *task,
			   struct mmview_restorers *restorers)
{
	struct sighand_struct *sighand;
	unsigned long flags, at;
	unsigned int i, j;

	restorers->nr = 0;
	restorers->too_many = false;
	sighand = lock_task_sighand(task, &flags);
	if (!sighand)
		return;
	for (i = 0; i < _NSIG; i++) {
		struct sigaction *sa = &sighand->action[i].sa;

		/* Whatever the flags are now: a handler may have reset them. */
		if (!(sa->sa_flags & SA_RESTORER))
			continue;
		at = (unsigned long)sa->sa_restorer;
		for (j = 0; j < restorers->nr && restorers->at[j] != at; j++)
			;
		if (j < restorers->nr)
			continue;
		if (j < MMVIEW_MAX_RESTORERS)
			restorers->at[restorers->nr++] = at;
		else
			restorers->too_many = true;
	}
	unlock_task_sighand(task, &flags);
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

/*
 * Is what is at @frame a signal's frame, and not a restorer's address that was
 * left there by some other function? If so, the stack pointer that the signal
 * has interrupted is in @sp. See setup_rt_frame() of arch/x86.
 */
static bool is_signal_frame(struct mmview *view, unsigned long frame,
			    read_stack_t read, unsigned long *sp)
{
	struct ucontext uc;

	if (!read(view->root.mm, frame + offsetof(struct rt_sigframe, uc), &uc,
		  offsetof(struct ucontext, uc_sigmask)))
		return false;
	*sp = uc.uc_mcontext.sp;
	return !(uc.uc_flags & ~(unsigned long)(UC_FP_XSTATE |
						UC_SIGCONTEXT_SS |
						UC_STRICT_RESTORE_SS)) &&
	       !uc.uc_link && uc.uc_mcontext.cs == __USER_CS &&
	       uc.uc_mcontext.ip < TASK_SIZE_MAX && *sp < TASK_SIZE_MAX;
}

/*
 * Is one of the words at @addr where a signal's frame begins that has
 * interrupted another stack than this one, which ends at @end?
 */
static bool leaves_stack(struct mmview *view,
			 const struct mmview_restorers *restorers,
			 const unsigned long *words, unsigned int nr,
			 unsigned long addr, unsigned long end,
			 read_stack_t read)
{
	unsigned long frame, sp;
	unsigned int i, j;

	for (i = 0; i < nr; i++) {
		for (j = 0; j < restorers->nr; j++) {
			if (words[i] != restorers->at[j])
				continue;
			frame = addr + i * sizeof(long);
			if (frame + sizeof(struct rt_sigframe) <= end &&
			    is_signal_frame(view, frame, read, &sp) &&
			    (sp <= frame || sp > end))
				return true;
		}
	}
	return false;
}

struct stack {
	struct mmview *view;
	unsigned long sp, end;
	struct mmview_restorers restorers;
	read_stack_t read;
};

/* @len bytes of the stack, from @addr on, are @words. */
static bool part_unsafe(const struct stack *stack, const unsigned long *words,
			size_t len, unsigned long addr,
			struct mmview_verdict *verdict)
{
	unsigned int nr = len / sizeof(long);

	if (words_unsafe(stack->view, words, nr, addr, verdict))
		return true;
	if (!mmview_without(MMVIEW_PART_SIGNAL) &&
	    leaves_stack(stack->view, &stack->restorers, words, nr, addr,
			 stack->end, stack->read)) {
		no(verdict, MMVIEW_WHY_SIGNAL_STACK, 0, 0, 0);
		return true;
	}
	return false;
}

static noinline_for_stack void check_own(const struct stack *stack,
					 struct mmview_verdict *verdict)
{
	unsigned long words[CHUNK_WORDS];
	unsigned long sp = stack->sp, end = stack->end;

	while (sp < end) {
		/* Up to the next multiple of a chunk: never across pages. */
		size_t len = min(end, ALIGN(sp + 1, CHUNK)) - sp;

		if (!stack->read(stack->view->root.mm, sp, words, len)) {
			no(verdict, MMVIEW_WHY_STACK_UNREADABLE, 0, 0, sp);
			return;
		}
		if (part_unsafe(stack, words, len, sp, verdict))
			return;
		sp += len;
	}
}

/* The pages themselves are looked at, without a copy. Absent ones come in. */
static void check_remote(const struct stack *stack,
			 struct mmview_verdict *verdict)
{
	struct mm_struct *mm = stack->view->root.mm;
	unsigned long sp = stack->sp, end = stack->end;
	struct page *pages[CHUNK_PAGES];
	bool found = false;
	long i, got;

	while (sp < end && !found) {
		unsigned long want = DIV_ROUND_UP(end - (sp & PAGE_MASK),
						  PAGE_SIZE);

		mmap_read_lock(mm);
		got = get_user_pages_remote(mm, sp & PAGE_MASK,
					    min_t(unsigned long, want,
						  CHUNK_PAGES), 0, pages,
					    NULL);
		mmap_read_unlock(mm);
		if (got <= 0) {
			no(verdict, MMVIEW_WHY_STACK_UNREADABLE, 0, 0, sp);
			return;
		}
		for (i = 0; i < got; i++) {
			size_t len = min(end, (sp & PAGE_MASK) + PAGE_SIZE) - sp;

			if (!found)
				found = part_unsafe(stack,
						    page_address(pages[i]) +
						    offset_in_page(sp),
						    len, sp, verdict);
			put_page(pages[i]);
			sp += len;
		}
		cond_resched();
	}
}

static void check_stack(struct mmview *view, struct task_struct *task,
			unsigned long sp, unsigned long end,
			struct mmview_verdict *verdict)
{
	struct stack stack = {
		.view = view,
		.sp = sp,
		.end = end,
		.read = task == current ? read_own : read_remote,
	};

	if (mmview_without(MMVIEW_PART_STACK))
		return;
	find_restorers(task, &stack.restorers);
	if (stack.restorers.too_many)
		no(verdict, MMVIEW_WHY_SIGNAL_STACK, 0, 0, 0);
	else if (task == current)
		check_own(&stack, verdict);
	else
		check_remote(&stack, verdict);
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
		check_stack(view, current, sp, end, verdict);
}

/*
 * @task was off its CPU with @ip and @sp in user mode. It may run any
 * time: the caller confirms afterwards that it did not.
 */
void mmview_check_blocked(struct mmview *view, struct task_struct *task,
			  unsigned long ip, unsigned long sp,
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
		check_stack(view, task, sp, end, verdict);
}

/*
 * A running thread could not read its stack at @sp without waiting. We can
 * wait: bring in what is absent from there on.
 */
void mmview_fault_in_stack(struct mmview *view, struct task_struct *task,
			   unsigned long sp)
{
	struct mmview_verdict unused;

	mmview_check_blocked(view, task, 0, sp, &unused);
}
