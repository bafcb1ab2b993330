// SPDX-License-Identifier: GPL-2.0
/*
 * What others see of a thread's memory: debuggers, core dumps,
 * process_vm_readv(). Each looks at one thread, and sees the text that this
 * thread executes.
 *
 * A byte of text exists once in the base and once more in each view that has
 * overridden it. All other views show the base's: an override's page keeps a
 * copy of what surrounds the bytes that were written. So a debugger's write
 * goes to the one byte that its thread executes, and if that is the base's, to
 * every copy. What it puts back later it puts back in the same places: a
 * thread that is traced does not migrate (MMVIEW_WHY_TRACED).
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include "internal.h"
#include "../internal.h"

/* The view that @task runs in, referenced, or NULL for @mm's base. */
static struct mmview *view_of(struct task_struct *task, struct mm_struct *mm)
{
	struct mmview_root *root;
	struct mmview *view = NULL;

	rcu_read_lock();
	root = READ_ONCE(task->mmview.view);
	/* The view is freed after a grace period. */
	if (root && root->mm == mm && refcount_inc_not_zero(&to_mmview(root)->refs))
		view = to_mmview(root);
	rcu_read_unlock();
	return view;
}

/*
 * @view's override, in a form that may be written, if any of @len bytes at
 * @addr, all in one page, are in the state @changed there; NULL if not.
 * mmviews->mutex is held. -ENOMEM: there is no memory for a copy.
 */
static struct mmview_override *writable(struct mmview *view, unsigned long addr,
					size_t len, bool changed)
{
	unsigned long start = offset_in_page(addr);
	unsigned long end = start + len;
	struct mmview_override *override;

	override = mmview_override(view, addr & PAGE_MASK);
	if (!override ||
	    (changed ? find_next_bit(override->changed, end, start) :
		       find_next_zero_bit(override->changed, end, start)) >= end)
		return NULL;
	return mmview_override_unshare(view, override);
}

/*
 * Write those of the bytes that are in the state @changed. False: there was no
 * memory for a copy.
 */
static bool write_override(struct mmview *view, unsigned long addr,
			   const void *buf, size_t len, bool changed)
{
	struct mmview_override *override = writable(view, addr, len, changed);
	unsigned int offset = offset_in_page(addr);
	u8 *to;
	size_t i;

	if (IS_ERR_OR_NULL(override))
		return !override;
	to = page_address(override->page);
	for (i = 0; i < len; i++)
		if (test_bit(offset + i, override->changed) == changed)
			WRITE_ONCE(to[offset + i], ((const u8 *)buf)[i]);
	return true;
}

/*
 * @len bytes at @addr, all in one page, are about to be written in the base:
 * find the memory that views need to follow while nothing has changed yet.
 * mmviews->mutex is held from here to mmview_base_written().
 */
int mmview_base_will_be_written(struct mmviews *mmviews, unsigned long addr,
				size_t len)
{
	struct mmview *view;
	u64 id = U64_MAX;
	int err = 0;

	while (!err && (view = mmview_next(mmviews, id))) {
		id = view->id;
		err = PTR_ERR_OR_ZERO(writable(view, addr, len, false));
		mmview_put(view);
	}
	return err;
}

/*
 * @len bytes at @addr, all in one page, are now these in the base. Views whose
 * overrides surround them follow. Who forks in between and leaves no memory for
 * another copy has the old bytes in it.
 */
void mmview_base_written(struct mmviews *mmviews, unsigned long addr,
			 const void *buf, size_t len)
{
	struct mmview *view;
	u64 id = U64_MAX;

	while ((view = mmview_next(mmviews, id))) {
		id = view->id;
		write_override(view, addr, buf, len, false);
		mmview_put(view);
	}
}

/* How many of @len bytes at @addr are alike: the view's own, or the base's. */
static size_t run_length(struct mmview_override *override, unsigned long addr,
			 size_t len, bool *own)
{
	unsigned long offset = offset_in_page(addr);
	unsigned long end = offset + len;

	*own = override && test_bit(offset, override->changed);
	if (!override)
		return len;
	return (*own ? find_next_zero_bit(override->changed, end, offset) :
		       find_next_bit(override->changed, end, offset)) - offset;
}

/* All in one page. As access_remote_vm(): how many bytes were done. */
static size_t access_page(struct mmview *view, struct mm_struct *mm,
			  unsigned long addr, void *buf, size_t len,
			  unsigned int gup_flags)
{
	struct mmview_override *override = NULL;
	size_t done = 0, run;
	bool own, to_text;

	if (view)
		override = mmview_override_get(view, addr & PAGE_MASK);
	if (override && !(gup_flags & FOLL_WRITE)) {
		memcpy_from_page(buf, override->page, offset_in_page(addr), len);
		done = len;
	}
	while (done < len) {
		run = run_length(override, addr + done, len - done, &own);
		if (own && (gup_flags & FOLL_FORCE)) {
			if (!write_override(view, addr + done, buf + done, run,
					    true))
				break;
			done += run;
			continue;
		}
		to_text = (gup_flags & FOLL_FORCE) && (gup_flags & FOLL_WRITE);
		if (to_text && mmview_base_will_be_written(mm->mmviews,
							   addr + done, run))
			break;
		run = access_remote_vm(mm, addr + done, buf + done, run,
				       gup_flags);
		if (!run)
			break;
		if (to_text)
			mmview_base_written(mm->mmviews, addr + done,
					    buf + done, run);
		done += run;
	}
	if (override)
		mmview_override_put(override);
	return done;
}

int __mmview_access_vm(struct pid *pid, struct mm_struct *mm,
		       unsigned long addr, void *buf, int len,
		       unsigned int gup_flags)
{
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);
	struct mmview *view = task ? view_of(task, mm) : NULL;
	bool write = gup_flags & FOLL_WRITE;
	int done = 0;

	if (write)
		mutex_lock(&mm->mmviews->mutex);
	while (done < len) {
		size_t want = min_t(size_t, len - done,
				    PAGE_SIZE - offset_in_page(addr + done));
		size_t got = access_page(view, mm, addr + done, buf + done,
					 want, gup_flags);

		done += got;
		if (got < want)
			break;
	}
	if (write)
		mutex_unlock(&mm->mmviews->mutex);
	if (view)
		mmview_put(view);
	if (task)
		put_task_struct(task);
	return done;
}

/*
 * process_vm_readv() has pinned @nr pages of the base from @addr on: those
 * that @tsk has overridden are exchanged for the overrides, pinned as well.
 */
void __mmview_pinned_text(struct task_struct *tsk, struct mm_struct *mm,
			  unsigned long addr, struct page **pages, int nr)
{
	struct mmview *view = view_of(tsk, mm);
	struct mmview_override *override;
	int i;

	if (!view)
		return;
	for (i = 0; i < nr; i++) {
		override = mmview_override_get(view, addr + i * PAGE_SIZE);
		if (!override)
			continue;
		if (!try_grab_folio(page_folio(override->page), 1, FOLL_PIN)) {
			unpin_user_page(pages[i]);
			pages[i] = override->page;
		}
		mmview_override_put(override);
	}
	mmview_put(view);
}

/* current dumps core: the page of its view's own at @addr, referenced, or NULL. */
struct page *__mmview_dump_page(unsigned long addr)
{
	struct mmview *view = mmview_get_current();
	struct mmview_override *override;
	struct page *page = NULL;

	if (!view)
		return NULL;
	override = mmview_override_get(view, addr & PAGE_MASK);
	if (override) {
		page = override->page;
		get_page(page);
		mmview_override_put(override);
	}
	mmview_put(view);
	return page;
}
