/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Views: the hooks that the rest of the kernel calls. Each is an empty inline
 * without CONFIG_MMVIEW, and one predictable branch with it as long as no
 * view exists. The logic is in mm/mmview/.
 */
#ifndef _LINUX_MMVIEW_H
#define _LINUX_MMVIEW_H

#include <linux/mm_types.h>
#include <linux/mmview_types.h>
#include <linux/sched.h>

struct mmu_notifier_range;
struct pt_regs;
struct seq_file;
struct pid_namespace;
struct pid;
struct page;

/* linux/mm.h cannot be included here. */
int access_remote_vm(struct mm_struct *mm, unsigned long addr, void *buf,
		     int len, unsigned int gup_flags);

/* Which level of the base's page tables an entry was cleared at. */
enum mmview_level {
	MMVIEW_PTE,		/* maps 4 KiB pages */
	MMVIEW_PMD,		/* its entries span 2 MiB */
	MMVIEW_PUD,		/* its entries span 1 GiB */
	MMVIEW_P4D,		/* its entries span 512 GiB */
};

#ifdef CONFIG_MMVIEW

/* Non-zero while the process has views: every invalidation must be told. */
bool __mmview_active(struct mm_struct *mm);

static inline bool mmview_active(struct mm_struct *mm)
{
	return unlikely(READ_ONCE(mm->mmviews)) && __mmview_active(mm);
}

/* ---- context switch (arch/x86/mm/tlb.c), interrupts off ---- */

/* The view that @tsk runs in when it runs on @mm, or NULL for the base. */
static inline struct mmview_root *mmview_of(struct task_struct *tsk,
					    struct mm_struct *mm)
{
	struct mmview_root *view = tsk ? READ_ONCE(tsk->mmview.view) : NULL;

	return unlikely(view) && tsk->mm == mm && view->mm == mm ? view : NULL;
}

/* ---- page faults ---- */

bool __mmview_fault(unsigned long address, unsigned long error_code);
void __mmview_fault_done(unsigned long address, unsigned int fault_flags,
			 bool wait);

/*
 * The lockless fast path, interrupts off, before anything else: true if the
 * base permits the access already and the view now does too.
 */
static inline bool mmview_fault(unsigned long address, unsigned long error_code)
{
	return unlikely(current->mmview.view) &&
	       __mmview_fault(address, error_code);
}

/*
 * After the base has handled a fault (FAULT_FLAG_*): the view catches up. May
 * sleep until an invalidation has ended; takes no lock of the mm's.
 */
static inline void mmview_fault_done(unsigned long address,
				     unsigned int fault_flags)
{
	if (unlikely(current->mmview.view))
		__mmview_fault_done(address, fault_flags, true);
}

/* The same for callers that hold mmap_lock: they repeat the access, and us. */
static inline void mmview_fixup_done(struct mm_struct *mm,
				     unsigned long address,
				     unsigned int fault_flags)
{
	if (unlikely(current->mmview.view) && mm == current->mm)
		__mmview_fault_done(address, fault_flags, false);
}

/* ---- the base's page tables change ---- */

void __mmview_invalidate_start(struct mmu_notifier_range *range);
void __mmview_invalidate_end(struct mmu_notifier_range *range);
void __mmview_clear_young(struct mm_struct *mm, unsigned long start,
			  unsigned long end);
void __mmview_unlink(struct mm_struct *mm, unsigned long addr,
		     enum mmview_level level);

/*
 * An invalidation of @mm's entries begins and ends, in the same task. The
 * nesting is counted whether views exist or not: see mmviews_activate(), with
 * whose barriers on all CPUs that run a task the barrier() pairs.
 */
static inline void mmview_invalidate_start(struct mm_struct *mm,
					   struct mmu_notifier_range *range)
{
	current->mmview.invalidating++;
	barrier();
	if (mmview_active(mm))
		__mmview_invalidate_start(range);
}

/* @told: views know of this one (MMU_NOTIFIER_RANGE_MMVIEW). */
static inline void mmview_invalidate_end(bool told,
					 struct mmu_notifier_range *range)
{
	if (unlikely(told))
		__mmview_invalidate_end(range);
	barrier();
	if (!--current->mmview.invalidating)
		current->mmview.invalidations++;
}

/* An entry of the base that pointed to a table was cleared; free it later. */
static inline void mmview_unlink(struct mm_struct *mm, unsigned long addr,
				 enum mmview_level level)
{
	if (mmview_active(mm))
		__mmview_unlink(mm, addr, level);
}

/* The accessed bit of an entry for @addr that spans @size was cleared. */
static inline void mmview_clear_young(struct mm_struct *mm, unsigned long addr,
				      unsigned long size)
{
	unsigned long start = addr & ~(size - 1);

	if (mmview_active(mm))
		__mmview_clear_young(mm, start, start + size);
}

/* ---- the life of tasks and mms ---- */

int __mmview_dup_mm(struct task_struct *tsk, struct mm_struct *mm,
		    struct mm_struct *oldmm);
void __mmview_copy_process(struct task_struct *p);
void __mmview_drop_task(struct task_struct *tsk);
void __mmview_mm_destroy(struct mm_struct *mm);
void __mmview_resume(struct pt_regs *regs);

/* A new task: nothing inherited yet. */
static inline void mmview_init_task(struct task_struct *tsk)
{
	memset(&tsk->mmview, 0, sizeof(tsk->mmview));
}

/* fork() without CLONE_VM: @tsk gets a copy of current's view over @mm. */
static inline int mmview_dup_mm(struct task_struct *tsk, struct mm_struct *mm,
				struct mm_struct *oldmm)
{
	return unlikely(current->mmview.view) ?
		__mmview_dup_mm(tsk, mm, oldmm) : 0;
}

/*
 * @p becomes visible, under tasklist_lock: with CLONE_VM it starts where
 * current is at this very moment. So a walk of the thread lists that has seen
 * current in a view cannot miss a child of it in the base.
 */
static inline void mmview_copy_process(struct task_struct *p)
{
	if (unlikely(current->mmview.view || current->mmview.target))
		__mmview_copy_process(p);
}

/* exit, exec, failed fork: @tsk leaves its views. */
static inline void mmview_drop_task(struct task_struct *tsk)
{
	/* No early look at the pointers: another task may be setting them. */
	if (unlikely(tsk->mm && READ_ONCE(tsk->mm->mmviews)) ||
	    unlikely(tsk->mmview.view || tsk->mmview.target))
		__mmview_drop_task(tsk);
}

static inline void mmview_mm_init(struct mm_struct *mm)
{
	mm->mmviews = NULL;
}

static inline void mmview_mm_destroy(struct mm_struct *mm)
{
	if (unlikely(mm->mmviews))
		__mmview_mm_destroy(mm);
}

/* On the way back to user mode. */
static inline void mmview_resume(struct pt_regs *regs)
{
	if (unlikely(current->mmview.target))
		__mmview_resume(regs);
}

/* ---- what others see of a thread's memory ---- */

int __mmview_access_vm(struct pid *pid, struct mm_struct *mm,
		       unsigned long addr, void *buf, int len,
		       unsigned int gup_flags);
void __mmview_pinned_text(struct task_struct *tsk, struct mm_struct *mm,
			  unsigned long addr, struct page **pages, int nr);
struct page *__mmview_dump_page(unsigned long addr);

/*
 * access_remote_vm() for a debugger that looks at the thread @pid: it reads
 * what that thread would execute. What it writes reaches every view in which
 * that text is the same.
 */
static inline int mmview_access_vm(struct pid *pid, struct mm_struct *mm,
				   unsigned long addr, void *buf, int len,
				   unsigned int gup_flags)
{
	return mmview_active(mm) ?
		__mmview_access_vm(pid, mm, addr, buf, len, gup_flags) :
		access_remote_vm(mm, addr, buf, len, gup_flags);
}

/* Pinned for reading: those that @tsk has pages of its own for become these. */
static inline void mmview_pinned_text(struct task_struct *tsk,
				      struct mm_struct *mm, unsigned long addr,
				      struct page **pages, int nr)
{
	if (mmview_active(mm))
		__mmview_pinned_text(tsk, mm, addr, pages, nr);
}

/* A core dump has the text that the thread which dumps it was executing. */
static inline struct page *mmview_dump_page(unsigned long addr)
{
	return unlikely(current->mmview.view) ? __mmview_dump_page(addr) : NULL;
}

int proc_tid_mmview(struct seq_file *m, struct pid_namespace *ns,
		    struct pid *pid, struct task_struct *task);

#else /* !CONFIG_MMVIEW */

static inline struct mmview_root *mmview_of(struct task_struct *tsk,
					    struct mm_struct *mm)
{
	return NULL;
}

static inline bool mmview_fault(unsigned long address, unsigned long error_code)
{
	return false;
}

static inline void mmview_fault_done(unsigned long address,
				     unsigned int fault_flags) { }
static inline void mmview_fixup_done(struct mm_struct *mm,
				     unsigned long address,
				     unsigned int fault_flags) { }
static inline void mmview_invalidate_start(struct mm_struct *mm,
					   struct mmu_notifier_range *range) { }
static inline void mmview_invalidate_end(bool told,
					 struct mmu_notifier_range *range) { }
static inline void mmview_unlink(struct mm_struct *mm, unsigned long addr,
				 enum mmview_level level) { }
static inline void mmview_clear_young(struct mm_struct *mm, unsigned long addr,
				      unsigned long size) { }
static inline void mmview_init_task(struct task_struct *tsk) { }
static inline int mmview_dup_mm(struct task_struct *tsk, struct mm_struct *mm,
				struct mm_struct *oldmm) { return 0; }
static inline void mmview_copy_process(struct task_struct *p) { }
static inline void mmview_drop_task(struct task_struct *tsk) { }
static inline void mmview_mm_init(struct mm_struct *mm) { }
static inline void mmview_mm_destroy(struct mm_struct *mm) { }
static inline void mmview_resume(struct pt_regs *regs) { }
static inline int mmview_access_vm(struct pid *pid, struct mm_struct *mm,
				   unsigned long addr, void *buf, int len,
				   unsigned int gup_flags)
{
	return access_remote_vm(mm, addr, buf, len, gup_flags);
}

static inline void mmview_pinned_text(struct task_struct *tsk,
				      struct mm_struct *mm, unsigned long addr,
				      struct page **pages, int nr) { }
static inline struct page *mmview_dump_page(unsigned long addr)
{
	return NULL;
}

#endif /* CONFIG_MMVIEW */
#endif /* _LINUX_MMVIEW_H */
