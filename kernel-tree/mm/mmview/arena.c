// SPDX-License-Identifier: GPL-2.0
/*
 * The arena: memory in the target, near its text, for new code and data.
 *
 * Plain private anonymous memory: fork, copy-on-write, swap, core dumps and
 * memory cgroups treat it as any other memory of the program, with no code of
 * ours. Its code part is mapped r-x and written as a debugger would write it.
 */
#include <linux/highmem.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mman.h>
#include <linux/perf_event.h>
#include <linux/sched/mm.h>
#include <linux/security.h>
#include "internal.h"
#include "../internal.h"

/*
 * The reach of a 32-bit displacement, less a page so that neither an
 * instruction's length nor a small addend ever matters.
 */
#define ARENA_REACH	(SZ_2G - PAGE_SIZE)

/*
 * A free range of @size bytes from which all of [@near_start, @near_end) can
 * be reached and back, with @gap bytes free on either side: below it, as close
 * as there is room, or else above, clear of where the heap grows. Where nothing
 * is mapped at a border of the range, room begins or ends right there: whole
 * pages count as near. get_unmapped_area() knows only current->mm.
 */
static unsigned long find_room(struct mm_struct *mm, unsigned long near_start,
			       unsigned long near_end, unsigned long size,
			       unsigned long gap)
{
	MA_STATE(mas, &mm->mm_mt, 0, 0);
	unsigned long want = size + 2 * gap;
	unsigned long low, high, limit;
	struct vm_area_struct *next;

	near_start = PAGE_ALIGN_DOWN(near_start);
	near_end = PAGE_ALIGN(near_end);
	low = max(mmap_min_addr, PAGE_SIZE);
	if (near_end > ARENA_REACH)
		low = max(low, near_end - ARENA_REACH);
	limit = near_start;
	while (limit >= low + want) {
		if (mas_empty_area_rev(&mas, low, limit - 1, want))
			break;
		next = find_vma(mm, mas.index);
		if (!next || vm_start_gap(next) >= mas.last + 1)
			return mas.index + gap;
		limit = mas.index;	/* a stack may grow into that gap */
		mas_reset(&mas);
	}

	mas_reset(&mas);
	high = min(near_start + ARENA_REACH, TASK_SIZE_MAX - PAGE_SIZE);
	low = near_end;
	/* Room for a growing heap, if there is any to spare. */
	if (mm->brk >= low && mm->brk < high)
		low = PAGE_ALIGN(mm->brk) + (high - mm->brk) / 2;
	while (low + want <= high) {
		if (mas_empty_area(&mas, low, high - 1, want))
			break;
		next = find_vma(mm, mas.index);
		if (!next || vm_start_gap(next) >= mas.last + 1)
			return mas.index + gap;
		low = mas.last + 1;
		mas_reset(&mas);
	}
	return 0;
}

/*
 * The data's part has a name. The code's has none: perf takes a name in
 * brackets for a file's, and looks up /tmp/perf-PID.map only for memory that
 * has no name (tools/perf/util/map.h, is_anon_memory()).
 */
static int map_part(struct mm_struct *mm, unsigned long addr,
		    unsigned long size, vm_flags_t vm_flags)
{
	struct vm_area_struct *vma;
	int err = -ENOMEM;

	vm_flags |= VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_ACCOUNT |
		    VM_SOFTDIRTY;
	/* mlockall(MCL_FUTURE) is a promise; whose limit would not matter here. */
	vm_flags |= mm->def_flags & VM_LOCKED_MASK;
	if (!may_expand_vm(mm, vm_flags, size >> PAGE_SHIFT))
		return -ENOMEM;
	vma = vm_area_alloc(mm);
	if (!vma)
		return -ENOMEM;
	vma_set_range(vma, addr, addr + size, 0);
	vm_flags_init(vma, vm_flags);
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	vma_set_anonymous(vma);
#ifdef CONFIG_ANON_VMA_NAME
	if (!(vm_flags & VM_EXEC)) {
		vma->anon_name = anon_vma_name_alloc("driftpatch");
		if (!vma->anon_name)
			goto free;
	}
#endif
	err = insert_vm_struct(mm, vma);
	if (err)
		goto free;
	vm_stat_account(mm, vma->vm_flags, size >> PAGE_SHIFT);
	if (vm_flags & VM_LOCKED)
		mm->locked_vm += size >> PAGE_SHIFT;
	perf_event_mmap(vma);
	return 0;
free:
	vm_area_free(vma);
	return err;
}

/* Memory that is locked is there before it is used. */
static int fill_locked(struct mm_struct *mm, unsigned long addr,
		       unsigned long size)
{
	unsigned long end = addr + size;
	struct page *page;
	long got = 1;

	if ((mm->def_flags & VM_LOCKED_MASK) != VM_LOCKED)
		return 0;
	for (; addr < end && got == 1; addr += PAGE_SIZE) {
		mmap_read_lock(mm);
		got = get_user_pages_remote(mm, addr, 1,
					    FOLL_WRITE | FOLL_FORCE, &page, NULL);
		mmap_read_unlock(mm);
		if (got == 1)
			put_page(page);
		cond_resched();
	}
	return got == 1 ? 0 : -ENOMEM;
}

/* The code's part, then the data's. An error: what is there has to go again. */
static int map_both(struct mmview *view, struct mm_struct *mm,
		    unsigned long addr, const struct mmview_map *map)
{
	int err = map_part(mm, addr, map->code_size, VM_READ | VM_EXEC);

	if (err)
		return err;
	/* From here on the view's end takes away what is there. */
	view->arena_start = addr;
	view->arena_code = map->code_size;
	view->arena_end = addr + map->code_size;
	if (!map->data_size)
		return 0;
	err = map_part(mm, view->arena_end, map->data_size, VM_READ | VM_WRITE);
	if (!err)
		view->arena_end += map->data_size;
	return err;
}

/* mmap_lock is held for writing. */
static void unmap(struct mmview *view, struct mm_struct *mm)
{
	if (!view->arena_start)
		return;
	/* Without memory even for this, the view's end takes it away. */
	if (do_munmap(mm, view->arena_start,
		      view->arena_end - view->arena_start, NULL))
		return;
	view->arena_start = 0;
	view->arena_code = 0;
	view->arena_end = 0;
}

/* There is an arena that is of no use: take it back. */
void mmview_arena_undo(struct mmview *view, struct mm_struct *mm)
{
	mmap_write_lock(mm);
	unmap(view, mm);
	mmap_write_unlock(mm);
}

/* mmviews->mutex is held, the view is not sealed. */
int mmview_arena_map(struct mmview *view, struct mm_struct *mm,
		     struct mmview_map *map)
{
	unsigned long size, addr;
	int err;

	if (!map->code_size || !PAGE_ALIGNED(map->code_size) ||
	    !PAGE_ALIGNED(map->data_size) || map->code_size > SZ_1G ||
	    map->data_size > SZ_1G || map->near_start >= map->near_end ||
	    map->near_end > TASK_SIZE_MAX)
		return -EINVAL;
	if (view->arena_start)
		return -EBUSY;

	size = map->code_size + map->data_size;
	err = mmap_write_lock_killable(mm);
	if (err)
		return err;
	/* Overruns had better fault, but a tight place is a place. */
	addr = find_room(mm, map->near_start, map->near_end, size, PAGE_SIZE) ?:
	       find_room(mm, map->near_start, map->near_end, size, 0);
	err = -ENOSPC;
	if (!addr)
		goto unlock;
	err = map_both(view, mm, addr, map);
	if (err)
		goto unlock;
	map->code_addr = addr;
	map->data_addr = addr + map->code_size;
unlock:
	mmap_write_unlock(mm);
	if (!err)
		err = fill_locked(mm, addr, size);
	if (err)
		mmview_arena_undo(view, mm);
	return err;
}

/* @len bytes at @addr, all in one page of the arena. */
int mmview_arena_write(struct mm_struct *mm, unsigned long addr,
		       const void *buf, size_t len)
{
	struct vm_area_struct *vma;
	struct page *page;

	if (mmview_make_room())
		return -ENOMEM;
	mmap_read_lock(mm);
	page = get_user_page_vma_remote(mm, addr, FOLL_WRITE | FOLL_FORCE,
					&vma);
	if (!IS_ERR(page)) {
		memcpy_to_page(page, offset_in_page(addr), buf, len);
		set_page_dirty_lock(page);
		put_page(page);
	}
	mmap_read_unlock(mm);
	return PTR_ERR_OR_ZERO(page);
}

/*
 * The view ends and no thread was ever asked to migrate to it: nothing can
 * refer to the arena. From then on a newer view may, which carries on what this
 * one has begun, even if no thread has been here.
 * Runs in a worker; vm_munmap() works on current->mm, so borrow the target's.
 */
void mmview_arena_unmap(struct mmview *view)
{
	struct mm_struct *mm = view->root.mm;

	if (!view->arena_start || view->asked || !mmget_not_zero(mm))
		return;
	kthread_use_mm(mm);
	vm_munmap(view->arena_start, view->arena_end - view->arena_start);
	kthread_unuse_mm(mm);
	mmput(mm);
}
