// SPDX-License-Identifier: GPL-2.0
/*
 * The life of views: made by clone or fork, referenced by descriptors and
 * tasks, freed by a work item when nobody is left.
 */
#include <linux/debugfs.h>
#include <linux/mmu_context.h>
#include <linux/mmu_notifier.h>
#include <linux/proc_fs.h>
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/mmview.h>
#include "internal.h"

static atomic_t nr_views = ATOMIC_INIT(0);
static atomic64_t last_id = ATOMIC64_INIT(0);

bool __mmview_active(struct mm_struct *mm)
{
	return READ_ONCE(mm->mmviews->active);
}

/* ------------------------------------------------------------------------
 * What an mm knows of its views
 */

/* The mm's struct mmviews, made if there is none yet; NULL: no memory. */
struct mmviews *mmviews_get(struct mm_struct *mm)
{
	struct mmviews *mmviews = READ_ONCE(mm->mmviews);
	struct mmviews *old;

	if (mmviews)
		return mmviews;
	mmviews = kzalloc(sizeof(*mmviews), MMVIEW_GFP);
	if (!mmviews)
		return NULL;
	mutex_init(&mmviews->mutex);
	spin_lock_init(&mmviews->lock);
	INIT_LIST_HEAD(&mmviews->views);
	INIT_LIST_HEAD(&mmviews->invalidations);
	init_waitqueue_head(&mmviews->wait);
	old = cmpxchg(&mm->mmviews, NULL, mmviews);
	if (!old)
		return mmviews;
	kfree(mmviews);
	return old;
}

void __mmview_mm_destroy(struct mm_struct *mm)
{
	WARN_ON_ONCE(!list_empty(&mm->mmviews->views));
	WARN_ON_ONCE(!list_empty(&mm->mmviews->invalidations));
	kfree(mm->mmviews);
	mm->mmviews = NULL;
}

/* Tasks inside an invalidation that they began before we were active. */
static struct task_struct *find_invalidating(unsigned int *seq)
{
	struct task_struct *group, *task;

	rcu_read_lock();
	for_each_process_thread(group, task) {
		if (READ_ONCE(task->mmview.invalidating)) {
			*seq = READ_ONCE(task->mmview.invalidations);
			get_task_struct(task);
			rcu_read_unlock();
			return task;
		}
	}
	rcu_read_unlock();
	return NULL;
}

static bool runs_a_task(int cpu, void *unused)
{
	return !idle_cpu(cpu);
}

static void pass_a_barrier(void *unused)
{
	smp_mb();	/* pairs with mmview_invalidate_start()'s barrier() */
}

/*
 * From here on every invalidation of the mm is told to us. Those in flight
 * were not, and may still be about to change an entry that we would mirror:
 * wait until each task that is inside one has left it once. A task counts its
 * nesting in its own task_struct, so a process without views pays one
 * increment of a private word for this and nobody takes the locks that
 * mmu_notifier_register() would (all of them, for every mapping).
 *
 * Each CPU that runs a task passes a barrier after @active is set: that pairs
 * with the compiler barrier in mmview_invalidate_start() between the increment
 * and the look at @active. Either they see @active or we see their increment.
 * An idle CPU need not be interrupted: a task that comes to run there was
 * enqueued under the runqueue's lock, which __schedule() takes after that.
 *
 * mmviews->mutex is held: who makes a second view waits as well.
 */
void mmviews_activate(struct mmviews *mmviews)
{
	struct task_struct *task;
	unsigned int seq;

	if (READ_ONCE(mmviews->active))
		return;
	WRITE_ONCE(mmviews->active, true);
	smp_mb();	/* @active, then idle_cpu()'s look at the runqueue */
	on_each_cpu_cond(runs_a_task, pass_a_barrier, NULL, true);
	while ((task = find_invalidating(&seq))) {
		while (READ_ONCE(task->mmview.invalidating) &&
		       READ_ONCE(task->mmview.invalidations) == seq)
			schedule_timeout_uninterruptible(1);
		put_task_struct(task);
	}
}

/* ------------------------------------------------------------------------
 * Make and free
 */

/* Nobody's CPU may have the view loaded any more, not even lazily. */
static void leave_cpu(void *info)
{
	mmview_leave_cpu(info);
}

static void free_work(struct work_struct *work)
{
	struct mmview *view = container_of(work, struct mmview, free_work);
	struct mmviews *mmviews = view->mmviews;

	spin_lock_irq(&mmviews->lock);
	list_del(&view->node);
	if (list_empty(&mmviews->views))
		WRITE_ONCE(mmviews->active, false);
	spin_unlock_irq(&mmviews->lock);

	mmview_arena_unmap(view);
	on_each_cpu(leave_cpu, &view->root, 1);
	mmview_free_tables(view);
	mmview_free_overrides(view);
	pgd_free_view(view->root.mm, view->root.pgd);
	kvfree(view->guards);
	mmdrop(view->root.mm);
	kfree_rcu(view, rcu);
	atomic_dec(&nr_views);
}

/*
 * A view of @mm's base, in nobody's list yet: mmview_publish() it. NULL: no
 * memory. The caller has a reference to @mm that outlives the call.
 */
struct mmview *mmview_create(struct mm_struct *mm)
{
	struct mmview *view = kzalloc(sizeof(*view), MMVIEW_GFP);

	if (!view)
		return NULL;
	view->mmviews = mmviews_get(mm);
	if (!view->mmviews)
		goto free;
	view->root.pgd = pgd_alloc_view(mm);
	if (!view->root.pgd)
		goto free;
	view->root.mm = mm;
	mmgrab(mm);
	view->root.ctx_id = atomic64_inc_return(&last_mm_ctx_id);
	view->id = atomic64_inc_return(&last_id);
	refcount_set(&view->refs, 1);
	INIT_LIST_HEAD(&view->node);
	INIT_LIST_HEAD(&view->tables);
	xa_init_flags(&view->overrides, XA_FLAGS_LOCK_IRQ | XA_FLAGS_ACCOUNT);
	INIT_DELAYED_WORK(&view->work, mmview_transition_work);
	INIT_WORK(&view->free_work, free_work);
	init_waitqueue_head(&view->wait);
	atomic_inc(&nr_views);
	return view;

free:
	kfree(view);
	return NULL;
}

void mmview_publish(struct mmview *view)
{
	spin_lock_irq(&view->mmviews->lock);
	list_add(&view->node, &view->mmviews->views);
	spin_unlock_irq(&view->mmviews->lock);
}

/* May be the last, from any context: what has to sleep is left to a worker. */
void mmview_put(struct mmview *view)
{
	if (refcount_dec_and_test(&view->refs))
		queue_work(system_unbound_wq, &view->free_work);
}

/* The newest view of @mm that tasks are in or on their way to, referenced. */
struct mmview *mmview_find(struct mm_struct *mm)
{
	struct mmviews *mmviews = READ_ONCE(mm->mmviews);
	struct mmview *view, *found = NULL;

	if (!mmviews)
		return NULL;
	spin_lock_irq(&mmviews->lock);
	list_for_each_entry(view, &mmviews->views, node) {
		if (!view->sealed || view->folded ||
		    !(view->asked || view->all))
			continue;
		/* Overtaken and empty: only its last references keep it. */
		if (mmviews->latest > view->id && !atomic_read(&view->tasks))
			continue;
		if (refcount_inc_not_zero(&view->refs)) {
			found = view;
			break;
		}
	}
	spin_unlock_irq(&mmviews->lock);
	return found;
}

/* The newest view older than the one with id @before, referenced, or NULL. */
struct mmview *mmview_next(struct mmviews *mmviews, u64 before)
{
	struct mmview *view, *found;

	spin_lock_irq(&mmviews->lock);
again:
	found = NULL;
	list_for_each_entry(view, &mmviews->views, node) {
		if (view->id < before && (!found || view->id > found->id))
			found = view;
	}
	/* One that is being freed stays listed until that is done: skip it. */
	if (found && !refcount_inc_not_zero(&found->refs)) {
		before = found->id;
		goto again;
	}
	spin_unlock_irq(&mmviews->lock);
	return found;
}

/* ------------------------------------------------------------------------
 * Tasks
 */

/* A fold may take the pointer away from under us, but only by interrupt. */
struct mmview *mmview_get_current(void)
{
	struct mmview *view = NULL;
	unsigned long flags;

	local_irq_save(flags);
	if (current->mmview.view)
		view = mmview_get(to_mmview(current->mmview.view));
	local_irq_restore(flags);
	return view;
}

/* current runs in @view (NULL: the base) from the next instruction on. */
void mmview_switch_self(struct mmview *view)
{
	struct mm_struct *mm = current->mm;
	struct mmview_root *old;

	if (view) {
		mmview_get(view);
		atomic_inc(&view->tasks);
	}
	local_irq_disable();
	old = current->mmview.view;
	WRITE_ONCE(current->mmview.view, view ? &view->root : NULL);
	switch_mm_irqs_off(mm, mm, current);
	local_irq_enable();
	if (old) {
		atomic_dec(&to_mmview(old)->tasks);
		mmview_put(to_mmview(old));
	}
}

/* A thread that was not in a sealed view is gone: it may be complete now. */
static void look_again(struct mmviews *mmviews)
{
	struct mmview *view;
	unsigned long flags;

	if (!mmviews)
		return;
	spin_lock_irqsave(&mmviews->lock, flags);
	list_for_each_entry(view, &mmviews->views, node)
		if (READ_ONCE(view->sealed) && !READ_ONCE(view->complete) &&
		    refcount_inc_not_zero(&view->refs) &&
		    !queue_delayed_work(system_unbound_wq, &view->work, 0))
			refcount_dec(&view->refs);	/* the queued one's stays */
	spin_unlock_irqrestore(&mmviews->lock, flags);
}

/*
 * current leaves for good (exit, exec), or @tsk never came to be (fork). Takes
 * task_lock() so that a transition either has set the pointers before, or
 * finds the task exiting or with another mm.
 */
void __mmview_drop_task(struct task_struct *tsk)
{
	struct mmview_root *view, *target;

	task_lock(tsk);
	local_irq_disable();
	view = tsk->mmview.view;
	target = tsk->mmview.target;
	WRITE_ONCE(tsk->mmview.view, NULL);
	WRITE_ONCE(tsk->mmview.target, NULL);
	if (view && tsk == current && view->mm == current->mm)
		switch_mm_irqs_off(current->mm, current->mm, current);
	local_irq_enable();
	task_unlock(tsk);

	if (view) {
		atomic_dec(&to_mmview(view)->tasks);
		mmview_put(to_mmview(view));
	}
	if (target)
		mmview_put(to_mmview(target));
	if (tsk->mm && (tsk->flags & PF_EXITING))
		look_again(tsk->mm->mmviews);
}

void __mmview_copy_process(struct task_struct *p)
{
	struct mmview_root *view = current->mmview.view;
	struct mmview_root *target = current->mmview.target;

	if (p->mm != current->mm ||
	    (p->flags & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER)))
		return;
	if (view && !READ_ONCE(to_mmview(view)->folded)) {
		mmview_get(to_mmview(view));
		atomic_inc(&to_mmview(view)->tasks);
		p->mmview.view = view;
	}
	if (target) {
		mmview_get(to_mmview(target));
		p->mmview.target = target;
		set_tsk_thread_flag(p, TIF_NOTIFY_RESUME);
	}
}

/*
 * fork(): a view over the child's mm with the same overrides. Called before
 * the child has any mapping, so no invalidation of it can be in flight and it
 * needs no mmviews_activate().
 */
int __mmview_dup_mm(struct task_struct *tsk, struct mm_struct *mm,
		    struct mm_struct *oldmm)
{
	struct mmview *from = mmview_get_current();
	struct mmview *view;
	int err = -ENOMEM;

	if (!from)
		return 0;
	view = mmview_create(mm);
	if (!view)
		goto out;
	view->sealed = true;
	view->arena_start = from->arena_start;
	view->arena_code = from->arena_code;
	view->arena_end = from->arena_end;
	view->asked = true;
	WRITE_ONCE(view->mmviews->active, true);
	err = mmview_copy_overrides(view, from);
	mmview_debug_zones(view, mm);
	mmview_publish(view);
	if (err) {
		mmview_put(view);
		goto out;
	}
	atomic_inc(&view->tasks);
	tsk->mmview.view = &view->root;
out:
	mmview_put(from);
	return err;
}

/* ------------------------------------------------------------------------
 * For people
 */

int proc_tid_mmview(struct seq_file *m, struct pid_namespace *ns,
		    struct pid *pid, struct task_struct *task)
{
	struct mmview_root *view;
	u64 id = 0;

	if (!ptrace_may_access(task, PTRACE_MODE_READ_FSCREDS))
		return -EACCES;
	rcu_read_lock();
	view = READ_ONCE(task->mmview.view);
	if (view)
		id = to_mmview(view)->id;
	rcu_read_unlock();
	seq_printf(m, "%llu\n", id);
	return 0;
}

static int views_get(void *data, u64 *value)
{
	*value = atomic_read(&nr_views);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(views_fops, views_get, NULL, "%llu\n");

static int __init mmview_debugfs(void)
{
	struct dentry *dir = debugfs_create_dir("mmview", NULL);

	debugfs_create_file_unsafe("views", 0400, dir, NULL, &views_fops);
	mmview_debug_init(dir);
	return 0;
}
late_initcall(mmview_debugfs);
