// SPDX-License-Identifier: GPL-2.0
/*
 * For tests only: parts of the mechanism that can be taken out, and a knob
 * that gives every program a view. In debugfs, below mmview/.
 */
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <trace/events/sched.h>
#include "internal.h"

bool mmview_parts_out[MMVIEW_PARTS];

static const char *const part_names[MMVIEW_PARTS] = {
	[MMVIEW_PART_DIRTY]	= "dirty",
	[MMVIEW_PART_DROP]	= "drop",
	[MMVIEW_PART_SEQUENCE]	= "sequence",
	[MMVIEW_PART_UNLINK]	= "unlink",
	[MMVIEW_PART_YOUNG]	= "young",
	[MMVIEW_PART_STACK]	= "stack",
	[MMVIEW_PART_SIGNAL]	= "signal",
	[MMVIEW_PART_CONFIRM]	= "confirm",
	[MMVIEW_PART_UNMAP]	= "unmap",
	[MMVIEW_PART_AGAIN]	= "again",
};

/* ------------------------------------------------------------------------
 * A view for every program
 */

/* Below mmap_base, 4 MiB from one to the next. */
#define EVERY_ZONES	16

static bool every;

core_param(mmview_every, every, bool, 0);

/*
 * Tables of its own also where programs keep what they work on: around the
 * stack and the heap, and for every second 2 MiB below mmap_base, so that
 * mappings reach from one kind of table into the other. mmviews->mutex is
 * held, or nobody else knows of @view yet. Without memory there are fewer.
 */
void mmview_debug_zones(struct mmview *view, struct mm_struct *mm)
{
	int i;

	if (!READ_ONCE(every))
		return;
	mmview_add_zone(view, mm->start_stack);
	mmview_add_zone(view, mm->brk);
	for (i = 0; i < EVERY_ZONES; i++)
		mmview_add_zone(view, mm->mmap_base - PAGE_SIZE -
				      i * 2 * PMD_SIZE);
}

/* The page that the program starts in becomes an override, with its own bytes. */
static int enter_view(struct mm_struct *mm, unsigned long ip)
{
	struct mmview *view = mmview_create(mm);
	u8 byte;
	int err;

	if (!view)
		return -ENOMEM;
	mmview_publish(view);
	mutex_lock(&view->mmviews->mutex);
	mmviews_activate(view->mmviews);
	err = mmview_read(view, mm, ip, &byte, 1);
	if (!err)
		err = mmview_override_write(view, mm, ip, &byte, 1);
	if (!err) {
		mmview_debug_zones(view, mm);
		view->sealed = true;
		view->asked = true;
		mmview_prefill(view);
	}
	mutex_unlock(&view->mmviews->mutex);
	if (!err)
		mmview_switch_self(view);
	mmview_put(view);
	return err;
}

/* current is about to run its new program's first instruction. */
static void enter_view_work(struct callback_head *work)
{
	kfree(work);
	if (current->mm && user_64bit_mode(task_pt_regs(current)))
		enter_view(current->mm, task_pt_regs(current)->ip);
}

static void on_exec(void *data, struct task_struct *task, pid_t old_pid,
		    struct linux_binprm *bprm)
{
	struct callback_head *work;

	if (!READ_ONCE(every) || task != current)
		return;
	work = kmalloc(sizeof(*work), GFP_NOWAIT);
	if (!work)
		return;
	init_task_work(work, enter_view_work);
	if (task_work_add(task, work, TWA_RESUME))
		kfree(work);
}

void __init mmview_debug_init(struct dentry *dir)
{
	struct dentry *without = debugfs_create_dir("without", dir);
	unsigned int i;

	for (i = 0; i < MMVIEW_PARTS; i++)
		debugfs_create_bool(part_names[i], 0600, without,
				    &mmview_parts_out[i]);
	debugfs_create_bool("every", 0600, dir, &every);
	WARN_ON(register_trace_sched_process_exec(on_exec, NULL));
}
