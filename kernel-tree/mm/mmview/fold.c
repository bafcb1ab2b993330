// SPDX-License-Identifier: GPL-2.0
/*
 * Fold: every thread runs in the view, so the view can become the base.
 *
 * The overrides are written into the base as a debugger would write them. Not
 * one thread executes the base's text meanwhile: they are all in the view, and
 * threads that are born start there too. When base and view hold the same
 * bytes, threads go back to the base in any order, wherever they are: blocked
 * ones in place, running ones by an interrupt on their CPU.
 */
#include <linux/highmem.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/smp.h>
#include <asm/mmu_context.h>
#include <asm/mmview.h>
#include "internal.h"

/*
 * Each run of changed bytes, and no others: breakpoints nearby stay. Other
 * views that have a page of their own there follow, in what they have not
 * changed themselves.
 */
static int write_override(struct mm_struct *mm,
			  struct mmview_override *override)
{
	unsigned int start, end;

	for_each_set_bitrange(start, end, override->changed, PAGE_SIZE) {
		void *from = page_address(override->page) + start;

		if (access_remote_vm(mm, override->addr + start, from,
				     end - start, FOLL_WRITE | FOLL_FORCE) !=
		    end - start)
			return -EFAULT;
		mmview_base_written(mm->mmviews, override->addr + start, from,
				    end - start);
	}
	return 0;
}

/*
 * Make the base's page private to the process now, by writing to it what it
 * holds: all that can fail does so here, before anything has changed.
 */
static int make_private(struct mm_struct *mm, struct mmview_override *override)
{
	unsigned long addr = override->addr;
	u8 byte;

	if (mmview_make_room())
		return -ENOMEM;
	return access_remote_vm(mm, addr, &byte, 1, FOLL_FORCE) == 1 &&
	       access_remote_vm(mm, addr, &byte, 1,
				FOLL_WRITE | FOLL_FORCE) == 1 ? 0 : -ENOMEM;
}

typedef int (*override_fn)(struct mm_struct *mm,
			   struct mmview_override *override);

static int for_each_override(struct mmview *view, struct mm_struct *mm,
			     override_fn what)
{
	struct mmview_override *override;
	unsigned long index;
	int err;

	xa_for_each(&view->overrides, index, override) {
		if (xa_get_mark(&view->overrides, index, MMVIEW_GONE))
			continue;
		err = what(mm, override);
		/* Unmapped meanwhile: then it is gone, too. */
		if (err && !xa_get_mark(&view->overrides, index, MMVIEW_GONE))
			return err;
	}
	return 0;
}

static void leave(struct mmview_root *root)
{
	atomic_dec(&to_mmview(root)->tasks);
	mmview_put(to_mmview(root));
}

/* On the CPU of a thread that runs: interrupts are off. */
static void leave_running(void *info)
{
	struct mmview_root *root = info;

	if (current->mmview.view == root) {
		WRITE_ONCE(current->mmview.view, NULL);
		leave(root);
	}
	mmview_leave_cpu(root);
}

static int leave_off_cpu(struct task_struct *task, void *arg)
{
	struct mmview_root *root = arg;

	if (READ_ONCE(task->on_cpu) || task->mmview.view != root)
		return 0;
	WRITE_ONCE(task->mmview.view, NULL);
	return 1;
}

static void leave_all(struct mmview *view)
{
	struct task_struct *group, *task;

	for (;;) {
		on_each_cpu(leave_running, &view->root, 1);
		rcu_read_lock();
		for_each_process_thread(group, task) {
			if (READ_ONCE(task->mmview.view) == &view->root &&
			    task_call_func(task, leave_off_cpu, &view->root))
				leave(&view->root);
		}
		rcu_read_unlock();
		/* Counts threads that are being born as well. */
		if (!atomic_read(&view->tasks))
			return;
		schedule_timeout_uninterruptible(1);
	}
}

/* mmviews->mutex is held, and memory charged to the target. */
int mmview_fold(struct mmview *view, struct mm_struct *mm)
{
	int err;

	if (!view->sealed)
		return -EINVAL;
	if (view->folded)
		return 0;
	if (!mmview_complete(view))
		return -EBUSY;
	err = for_each_override(view, mm, make_private);
	if (!err)
		err = for_each_override(view, mm, write_override);
	if (err)
		return err;
	WRITE_ONCE(view->folded, true);
	leave_all(view);
	wake_up_all(&view->wait);
	return 0;
}
