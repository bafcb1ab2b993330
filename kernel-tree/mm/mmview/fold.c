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
#include <linux/mmu_context.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/mmview.h>
#include "internal.h"

/* One fold, and the pages of the base that it has pinned. */
struct fold {
	struct mmview *view;
	struct mm_struct *mm;
	struct page **pages;
	unsigned int room, nr;
};

/*
 * Make the base's page private to the process now, by writing to it what it
 * holds, and let nothing take it away: it is pinned. And let other views that
 * have a page of their own there be able to follow. So all that can fail for
 * want of memory does so here, before anything has changed.
 */
static int prepare(struct fold *fold, struct mmview_override *override)
{
	unsigned int start, end;
	struct page *page;
	int err;

	if (fold->nr == fold->room || mmview_make_room())
		return -ENOMEM;
	for_each_set_bitrange(start, end, override->changed, PAGE_SIZE) {
		err = mmview_base_will_be_written(fold->view->mmviews,
						  override->addr + start,
						  end - start);
		if (err)
			return err;
	}
	mmap_read_lock(fold->mm);
	err = pin_user_pages_remote(fold->mm, override->addr, 1,
				    FOLL_WRITE | FOLL_FORCE, &page, NULL);
	mmap_read_unlock(fold->mm);
	if (err != 1)
		return -ENOMEM;
	fold->pages[fold->nr++] = page;
	return 0;
}

/*
 * Each run of changed bytes, and no others: breakpoints nearby stay. Other
 * views that have a page of their own there follow, in what they have not
 * changed themselves.
 */
static int write_override(struct fold *fold, struct mmview_override *override)
{
	unsigned int start, end;

	for_each_set_bitrange(start, end, override->changed, PAGE_SIZE) {
		void *from = page_address(override->page) + start;

		if (access_remote_vm(fold->mm, override->addr + start, from,
				     end - start, FOLL_WRITE | FOLL_FORCE) !=
		    end - start)
			return -EFAULT;
		mmview_base_written(fold->view->mmviews, override->addr + start,
				    from, end - start);
	}
	return 0;
}

typedef int override_fn(struct fold *fold, struct mmview_override *override);

static int each_override(struct fold *fold, override_fn *what)
{
	struct mmview *view = fold->view;
	struct mmview_override *override;
	unsigned long index;
	int err;

	xa_for_each(&view->overrides, index, override) {
		if (xa_get_mark(&view->overrides, index, MMVIEW_GONE))
			continue;
		err = what(fold, override);
		/* Unmapped meanwhile: then it is gone, too. */
		if (err && !xa_get_mark(&view->overrides, index, MMVIEW_GONE))
			return err;
	}
	return 0;
}

static int write_overrides(struct mmview *view, struct mm_struct *mm)
{
	struct fold fold = {
		.view = view,
		.mm = mm,
		.room = mmview_count_overrides(view),
	};
	int err;

	fold.pages = kvmalloc_array(fold.room, sizeof(*fold.pages), MMVIEW_GFP);
	if (!fold.pages)
		return -ENOMEM;
	err = each_override(&fold, prepare);
	if (!err)
		err = each_override(&fold, write_override);
	unpin_user_pages(fold.pages, fold.nr);
	kvfree(fold.pages);
	return err;
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
	err = write_overrides(view, mm);
	if (err)
		return err;
	WRITE_ONCE(view->folded, true);
	leave_all(view);
	wake_up_all(&view->wait);
	return 0;
}
