// SPDX-License-Identifier: GPL-2.0
/*
 * The transition: threads move into a view one by one, each when it is safe,
 * and none of them is stopped, woken or signalled for it.
 *
 *	a thread that is blocked	is moved in place, by whoever asks;
 *	a thread that runs		moves itself on its way to user mode
 *					(TIF_NOTIFY_RESUME brings it there soon);
 *	a thread that is not safe now	is looked at again by a work item, a
 *					few milliseconds later, and so on;
 *					whenever that makes it look at itself,
 *					it does so some times more, soon after;
 *	a thread of a cooperative	moves itself, by a system call where it
 *	transition			knows that it is safe, and not otherwise.
 *
 * In place works like this: task_call_func() holds the thread off its CPU
 * while its registers are noted; then its stack is read, without any lock of
 * its own; then task_call_func() again confirms that it has not run meanwhile
 * (its switch count stands still) and sets its view pointer. It loads the
 * view's page tables when it is next switched to. A thread that is preempted
 * rather than blocked is left to move itself: it may have been interrupted
 * halfway through a signal's delivery, when its registers mean little.
 */
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/resume_user_mode.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>
#include "internal.h"

/* Between rounds: 4 ms at first, then longer for those that do not leave. */
#define RETRY_MIN	max(HZ / 250, 1)
#define RETRY_MAX	(HZ / 10)
/* Between a running thread's own looks: 20 us, 40 us, ... 2.56 ms. */
#define AGAIN_US	20UL
#define AGAIN_LOOKS	8

/* ------------------------------------------------------------------------
 * A blocked thread, in place
 */

struct snapshot {
	unsigned long ip, sp;
	unsigned long switches;
	struct mmview_verdict verdict;
};

/* Called by task_call_func(): @task cannot start to run while we look. */
static bool is_blocked(struct task_struct *task)
{
	return !task_is_runnable(task) && !READ_ONCE(task->on_cpu) &&
	       !(task->flags & PF_EXITING);
}

static int take_snapshot(struct task_struct *task, void *arg)
{
	struct snapshot *shot = arg;
	struct pt_regs *regs = task_pt_regs(task);

	if (!is_blocked(task)) {
		shot->verdict = (struct mmview_verdict){
			.why = MMVIEW_WHY_RUNNING };
		return -EBUSY;
	}
	shot->ip = regs->ip;
	shot->sp = regs->sp;
	shot->switches = task->nvcsw + task->nivcsw;
	return mmview_context_unsafe(task, shot->sp, &shot->verdict) ?
		-EAGAIN : 0;
}

struct move {
	const struct snapshot *shot;
	struct mmview *view;
	struct mmview_root *old;
};

static int confirm_and_move(struct task_struct *task, void *arg)
{
	struct move *move = arg;

	if (!is_blocked(task) ||
	    (task->nvcsw + task->nivcsw != move->shot->switches &&
	     !mmview_without(MMVIEW_PART_CONFIRM)) || READ_ONCE(task->ptrace))
		return -EBUSY;
	move->old = task->mmview.view;
	WRITE_ONCE(task->mmview.view, &move->view->root);
	return 0;
}

static void note_verdict(struct task_struct *task,
			 const struct mmview_verdict *verdict)
{
	task->mmview.guard = verdict->guard;
	WRITE_ONCE(task->mmview.where, verdict->where);
	task->mmview.slot = verdict->slot;
	/* Pairs with describe(): who sees NONE sees when that came to be. */
	smp_store_release(&task->mmview.why, verdict->why);
}

/*
 * @task is in its view from now on. STATE tells when that was; the verdict's
 * @where keeps it, which nothing else uses while there is nothing to say.
 */
void mmview_note_migrated(struct task_struct *task)
{
	struct mmview_verdict verdict = {
		.why = MMVIEW_WHY_NONE,
		.where = ktime_to_us(ktime_get()),
	};

	note_verdict(task, &verdict);
}

/* What keeps @task from migrating in place, NONE if nothing does. */
static int look(struct mmview *view, struct task_struct *task,
		struct snapshot *shot)
{
	int err = task_call_func(task, take_snapshot, shot);

	if (err)
		return err;
	mmview_check_blocked(view, task, shot->ip, shot->sp, &shot->verdict);
	return shot->verdict.why == MMVIEW_WHY_NONE ? 0 : -EAGAIN;
}

/* 0: @task is in @view now. -EBUSY: it runs. -EAGAIN: it is not safe. */
static int move_blocked(struct mmview *view, struct task_struct *task)
{
	struct mmview_root *target;
	struct snapshot shot;
	struct move move = { .shot = &shot, .view = view };
	int err = look(view, task, &shot);

	if (err == -EAGAIN)
		note_verdict(task, &shot.verdict);
	if (err)
		return err;

	mmview_get(view);
	atomic_inc(&view->tasks);
	task_lock(task);
	if (!mmview_counts(task, view->root.mm))
		err = -ESRCH;
	else
		err = task_call_func(task, confirm_and_move, &move);
	target = NULL;
	if (!err && task->mmview.target == &view->root) {
		target = task->mmview.target;
		WRITE_ONCE(task->mmview.target, NULL);
	}
	task_unlock(task);
	if (err) {
		atomic_dec(&view->tasks);
		mmview_put(view);
		return err;
	}
	mmview_note_migrated(task);
	if (target)
		mmview_put(to_mmview(target));
	if (move.old) {
		atomic_dec(&to_mmview(move.old)->tasks);
		mmview_put(to_mmview(move.old));
	}
	return 0;
}

/* ------------------------------------------------------------------------
 * A running thread, by itself
 *
 * Many a thread sits in a guard nearly all the time, blocked, and leaves it for
 * a moment when it wakes up. It is not safe on its way from the system call to
 * user mode, and the next round of the work item comes when it is back. So a
 * timer of its CPU makes it look again, soon and then later, AGAIN_LOOKS times.
 */

static DEFINE_PER_CPU(struct hrtimer, again_timer);

static enum hrtimer_restart look_again(struct hrtimer *timer)
{
	if (current->mmview.target)
		set_notify_resume(current);
	return HRTIMER_NORESTART;
}

static void again_soon(void)
{
	u32 looks = READ_ONCE(current->mmview.looks);
	struct hrtimer *timer;
	ktime_t time;

	if (looks >= AGAIN_LOOKS || mmview_without(MMVIEW_PART_AGAIN))
		return;
	/* Who asks meanwhile may be overlooked, until he asks again. */
	WRITE_ONCE(current->mmview.looks, looks + 1);
	time = ns_to_ktime((AGAIN_US << looks) * NSEC_PER_USEC);
	timer = get_cpu_ptr(&again_timer);
	/* Another thread that is on its way may have set it, to come sooner. */
	if (!hrtimer_is_queued(timer) || hrtimer_get_remaining(timer) > time)
		hrtimer_start(timer, time, HRTIMER_MODE_REL_PINNED_HARD);
	put_cpu_ptr(&again_timer);
}

static int __init again_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct hrtimer *timer = per_cpu_ptr(&again_timer, cpu);

		hrtimer_init(timer, CLOCK_MONOTONIC,
			     HRTIMER_MODE_REL_PINNED_HARD);
		timer->function = look_again;
	}
	return 0;
}
core_initcall(again_init);

void __mmview_resume(struct pt_regs *regs)
{
	struct mmview_verdict verdict;
	struct mmview_root *root;
	struct mmview *view;

	/* Somebody may be moving us or asking for another view just now. */
	task_lock(current);
	root = current->mmview.target;
	view = root ? mmview_get(to_mmview(root)) : NULL;
	task_unlock(current);
	if (!view)
		return;
	if (current->mm != view->root.mm || READ_ONCE(view->cooperative))
		goto put;
	mmview_check_self(view, regs, &verdict);
	if (verdict.why != MMVIEW_WHY_NONE) {
		note_verdict(current, &verdict);
		again_soon();
		goto put;
	}

	mmview_switch_self(view);
	mmview_note_migrated(current);
	task_lock(current);
	root = NULL;
	if (current->mmview.target == &view->root) {
		root = current->mmview.target;
		WRITE_ONCE(current->mmview.target, NULL);
	}
	task_unlock(current);
	if (root)
		mmview_put(view);
put:
	mmview_put(view);
}

/* Ask @task to move itself. -ESRCH: it no longer runs in this mm. */
static int ask(struct mmview *view, struct task_struct *task)
{
	struct mmview_root *old = NULL;
	int err = -ESRCH;

	task_lock(task);
	if (!mmview_counts(task, view->root.mm))
		goto unlock;
	err = 0;
	if (task->mmview.target != &view->root) {
		old = task->mmview.target;
		WRITE_ONCE(task->mmview.why, MMVIEW_WHY_RUNNING);
		WRITE_ONCE(task->mmview.target, &mmview_get(view)->root);
	}
	WRITE_ONCE(task->mmview.looks, 0);
	set_notify_resume(task);
unlock:
	task_unlock(task);
	if (old)
		mmview_put(to_mmview(old));
	return err;
}

static int move_or_ask(struct mmview *view, struct task_struct *task)
{
	int err;

	if (READ_ONCE(task->mmview.view) == &view->root)
		return 1;
	if (READ_ONCE(task->mmview.why) == MMVIEW_WHY_STACK_UNREADABLE)
		mmview_fault_in_stack(view, task, task->mmview.slot);
	err = ask(view, task);
	if (err)
		return err;
	if (READ_ONCE(view->cooperative))
		return 0;
	return move_blocked(view, task) ? 0 : 1;
}

/* ------------------------------------------------------------------------
 * All threads of the mm
 */

/* A newer view's transition has begun: this one moves nobody any more. */
bool mmview_superseded(struct mmview *view)
{
	return READ_ONCE(view->mmviews->latest) > view->id;
}

/* Threads that are looked at in one walk of the thread lists. */
#define BATCH	64

typedef bool (*wanted_t)(struct mmview *view, struct task_struct *task);

/*
 * The process's threads that are @wanted, behind the first @skip of them: at
 * most a BATCH, referenced. Returns how many.
 */
static unsigned int get_tasks(struct mmview *view, wanted_t wanted,
			      unsigned int skip, struct task_struct **tasks)
{
	struct task_struct *group, *task;
	unsigned int nr = 0;

	rcu_read_lock();
	for_each_process_thread(group, task) {
		if (!mmview_counts(task, view->root.mm) ||
		    !wanted(view, task))
			continue;
		if (skip) {
			skip--;
			continue;
		}
		get_task_struct(task);
		tasks[nr++] = task;
		if (nr == BATCH)
			goto out;
	}
out:
	rcu_read_unlock();
	return nr;
}

static bool is_pending(struct mmview *view, struct task_struct *task)
{
	if (READ_ONCE(task->mmview.view) == &view->root)
		return false;
	return READ_ONCE(task->mmview.target) == &view->root ||
	       (view->all && !mmview_superseded(view));
}

/* Try each pending thread once. Returns how many still are. */
static unsigned int try_pending(struct mmview *view)
{
	struct task_struct *tasks[BATCH];
	unsigned int i, nr, pending = 0;

	do {
		nr = get_tasks(view, is_pending, pending, tasks);
		for (i = 0; i < nr; i++) {
			if (move_or_ask(view, tasks[i]) == 0)
				pending++;
			put_task_struct(tasks[i]);
			cond_resched();
		}
	} while (nr == BATCH);
	return pending;
}

/*
 * Does every thread run in @view? Under tasklist_lock no thread is born half
 * way through the walk, and one that is born later starts where its parent is
 * then (mmview_copy_process()).
 */
bool mmview_complete(struct mmview *view)
{
	struct task_struct *group, *task;
	bool complete = true;
	unsigned int nr = 0;

	read_lock(&tasklist_lock);
	for_each_process_thread(group, task) {
		if (!mmview_counts(task, view->root.mm))
			continue;
		nr++;
		if (READ_ONCE(task->mmview.view) != &view->root) {
			complete = false;
			goto out;
		}
	}
out:
	read_unlock(&tasklist_lock);
	return complete && nr;
}

static void report(struct mmview *view)
{
	if (!view->complete && mmview_complete(view)) {
		WRITE_ONCE(view->complete, true);
		wake_up_all(&view->wait);
	}
}

/* The work holds a reference to the view while it is queued or runs. */
static void retry_later(struct mmview *view)
{
	unsigned long delay = RETRY_MIN << min(view->rounds++ / 32, 6U);

	mmview_get(view);
	if (!queue_delayed_work(system_unbound_wq, &view->work,
				min_t(unsigned long, delay, RETRY_MAX)))
		mmview_put(view);
}

void mmview_transition_work(struct work_struct *work)
{
	struct mmview *view = container_of(to_delayed_work(work),
					   struct mmview, work);
	struct mm_struct *mm = view->root.mm;

	if (!READ_ONCE(view->folded) && mmget_not_zero(mm)) {
		unsigned int pending = try_pending(view);

		report(view);
		mmput(mm);
		if (pending || (view->all && !view->complete &&
				!mmview_superseded(view)))
			retry_later(view);
	}
	mmview_put(view);
}

/* The view is sealed. 1: @task is in it; 0: it will be; -ESRCH. */
int mmview_migrate_one(struct mmview *view, struct task_struct *task)
{
	int ret = move_or_ask(view, task);

	report(view);
	if (ret == 0)
		retry_later(view);
	return ret;
}

/* Those who wait for an older view learn that it will not be complete. */
static void supersede_older(struct mmview *view)
{
	struct mmview *older;
	u64 id = view->id;

	while ((older = mmview_next(view->mmviews, id))) {
		id = older->id;
		wake_up_all(&older->wait);
		mmview_put(older);
	}
}

/* 1: every thread is in @view; 0: they will be; -EBUSY: there is a newer one. */
int mmview_migrate_all(struct mmview *view)
{
	struct mmviews *mmviews = view->mmviews;
	unsigned int pending;

	spin_lock_irq(&mmviews->lock);
	if (mmviews->latest > view->id) {
		spin_unlock_irq(&mmviews->lock);
		return -EBUSY;
	}
	WRITE_ONCE(mmviews->latest, view->id);
	WRITE_ONCE(view->all, true);
	spin_unlock_irq(&mmviews->lock);

	supersede_older(view);
	pending = try_pending(view);
	report(view);
	if (pending || !view->complete)
		retry_later(view);
	return view->complete;
}

/* ------------------------------------------------------------------------
 * What people want to know
 */

static void describe(struct mmview *view, struct task_struct *task,
		     struct mmview_thread *out)
{
	struct snapshot shot;

	out->tid = task_pid_vnr(task);
	out->migrated = READ_ONCE(task->mmview.view) == &view->root;
	if (out->migrated) {
		/* Until that is noted, it was just now. */
		out->when = smp_load_acquire(&task->mmview.why) ?
			ktime_to_us(ktime_get()) :
			READ_ONCE(task->mmview.where);
		return;
	}
	if (!is_pending(view, task)) {
		out->why = MMVIEW_WHY_NOT_ASKED;
		return;
	}
	if (READ_ONCE(view->cooperative)) {
		out->why = MMVIEW_WHY_SAFE_POINT;
		return;
	}
	/* A blocked thread is looked at now; of a running one we have a memory. */
	switch (look(view, task, &shot)) {
	case 0:
		out->why = MMVIEW_WHY_RUNNING;
		break;
	case -EAGAIN:
		out->why = shot.verdict.why;
		out->guard = shot.verdict.guard;
		out->where = shot.verdict.where;
		out->slot = shot.verdict.slot;
		break;
	default:
		out->why = READ_ONCE(task->mmview.why) ?: MMVIEW_WHY_RUNNING;
		out->guard = task->mmview.guard;
		out->where = task->mmview.where;
		out->slot = task->mmview.slot;
	}
}

static bool is_any(struct mmview *view, struct task_struct *task)
{
	return true;
}

/* Count @task, and describe it if there is room. -EFAULT. */
static int tell(struct mmview *view, struct task_struct *task,
		struct mmview_thread __user *to, struct mmview_state *state)
{
	struct mmview_thread thread = {};

	if (!to) {
		state->migrated += READ_ONCE(task->mmview.view) == &view->root;
		return 0;
	}
	describe(view, task, &thread);
	state->migrated += thread.migrated;
	return copy_to_user(to, &thread, sizeof(thread)) ? -EFAULT : 0;
}

long mmview_state(struct mmview *view, struct mmview_state __user *arg)
{
	unsigned int i, nr, total = 0;
	struct mmview_thread __user *threads;
	struct task_struct *tasks[BATCH];
	struct mmview_state state;
	bool complete;
	int err = 0;

	if (copy_from_user(&state, arg, sizeof(state)))
		return -EFAULT;
	if (state.reserved)
		return -EINVAL;
	threads = u64_to_user_ptr(state.threads);
	state.migrated = 0;
	/* First: who is told "complete" finds no thread below that is not. */
	report(view);
	complete = READ_ONCE(view->complete) && !mmview_superseded(view);
	do {
		nr = get_tasks(view, is_any, total, tasks);
		for (i = 0; i < nr; i++, total++) {
			if (!err)
				err = tell(view, tasks[i],
					   threads && total < state.nr ?
					   &threads[total] : NULL, &state);
			put_task_struct(tasks[i]);
			cond_resched();
		}
	} while (nr == BATCH && !err);
	if (err)
		return err;
	state.nr = total;
	state.flags = (view->sealed ? MMVIEW_STATE_SEALED : 0) |
		      (complete ? MMVIEW_STATE_COMPLETE : 0) |
		      (view->folded ? MMVIEW_STATE_FOLDED : 0) |
		      (mmview_superseded(view) ? MMVIEW_STATE_SUPERSEDED : 0);
	state.overrides = mmview_count_overrides(view);
	return copy_to_user(arg, &state, sizeof(state)) ? -EFAULT : 0;
}
