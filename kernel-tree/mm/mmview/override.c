// SPDX-License-Identifier: GPL-2.0
/*
 * Overrides: the pages a view has for itself, and reading and writing through
 * a view.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <asm/tlbflush.h>
#include "internal.h"

/* Half of a kilobyte each: kmalloc() would round that up to a whole one. */
static struct kmem_cache *overrides;

static int __init override_init(void)
{
	overrides = KMEM_CACHE(mmview_override, SLAB_ACCOUNT | SLAB_PANIC);
	return 0;
}
core_initcall(override_init);

void mmview_override_put(struct mmview_override *override)
{
	if (!refcount_dec_and_test(&override->refs))
		return;
	__free_page(override->page);
	kmem_cache_free(overrides, override);
}

static struct mmview_override *alloc_override(unsigned long addr)
{
	struct mmview_override *override;

	override = kmem_cache_zalloc(overrides, MMVIEW_GFP);
	if (!override)
		return NULL;
	override->page = alloc_page(MMVIEW_GFP);
	if (!override->page) {
		kmem_cache_free(overrides, override);
		return NULL;
	}
	refcount_set(&override->refs, 1);
	override->addr = addr;
	return override;
}

/* Text as programs have it: private, not writable, ordinary pages. */
static int may_override(struct vm_area_struct *vma)
{
	if (vma->vm_flags & (VM_WRITE | VM_SHARED | VM_SPECIAL | VM_HUGETLB))
		return -EACCES;
	if (!(vma->vm_flags & (VM_READ | VM_EXEC)) ||
	    !(vma->vm_flags & VM_MAYWRITE))
		return -EACCES;
	return 0;
}

/*
 * May the base's page hold a uprobe's breakpoint, which would be lost in ours?
 * One lies in a private copy of a file's page, and while it does, the process
 * has this flag.
 */
static bool may_have_uprobe(struct vm_area_struct *vma, struct page *page)
{
	return test_bit(MMF_HAS_UPROBES, &vma->vm_mm->flags) && vma->vm_file &&
	       PageAnon(page);
}

/*
 * A new override: the base's page as it is now. Checked and entered under one
 * mmap_lock: an munmap() either came before, or will find and drop it.
 */
static struct mmview_override *add_override(struct mmview *view,
					    struct mm_struct *mm,
					    unsigned long addr)
{
	struct mmview_override *override, *old;
	struct vm_area_struct *vma;
	struct page *page;
	int err;

	override = alloc_override(addr);
	if (!override)
		return ERR_PTR(-ENOMEM);
	err = mmview_add_zone(view, addr);
	if (err)
		goto free;
	err = mmap_read_lock_killable(mm);
	if (err)
		goto free;
	err = -EFAULT;
	vma = vma_lookup(mm, addr);
	if (!vma)
		goto unlock;
	err = may_override(vma);
	if (err)
		goto unlock;
	page = get_user_page_vma_remote(mm, addr, FOLL_FORCE, &vma);
	if (IS_ERR(page)) {
		err = PTR_ERR(page);
		goto unlock;
	}
	err = may_have_uprobe(vma, page) ? -EBUSY : 0;
	if (!err)
		copy_highpage(override->page, page);
	put_page(page);
	if (err)
		goto unlock;
	/* Core dumps leave out files' text, but not with an anon_vma. */
	err = anon_vma_prepare(vma);
	if (err)
		goto unlock;
	old = xa_erase_irq(&view->overrides, addr >> PAGE_SHIFT);
	if (old)			/* one that is gone */
		mmview_override_put(old);
	err = xa_err(xa_store_irq(&view->overrides, addr >> PAGE_SHIFT,
				  override, MMVIEW_GFP));
unlock:
	mmap_read_unlock(mm);
	if (!err)
		return override;
free:
	mmview_override_put(override);
	return ERR_PTR(err);
}

/* The override at @addr, referenced, or NULL. */
struct mmview_override *mmview_override_get(struct mmview *view,
					    unsigned long addr)
{
	struct mmview_override *override;
	unsigned long flags;

	spin_lock_irqsave(&view->mmviews->lock, flags);
	override = mmview_override(view, addr);
	if (override)
		refcount_inc(&override->refs);
	spin_unlock_irqrestore(&view->mmviews->lock, flags);
	return override;
}

/*
 * @override, which is @view's, in a form that may be written: itself, or a
 * copy that has taken its place because others have it too. mmviews->mutex is
 * held. -ENOMEM, with nothing changed.
 */
struct mmview_override *mmview_override_unshare(struct mmview *view,
						struct mmview_override *override)
{
	struct mmview_override *copy;
	unsigned long flags;

	if (refcount_read(&override->refs) == 1)
		return override;
	copy = alloc_override(override->addr);
	if (!copy)
		return ERR_PTR(-ENOMEM);
	copy_highpage(copy->page, override->page);
	bitmap_copy(copy->changed, override->changed, PAGE_SIZE);

	spin_lock_irqsave(&view->mmviews->lock, flags);
	/* An entry takes another's place without any memory; marks stay. */
	xa_lock(&view->overrides);
	__xa_store(&view->overrides, override->addr >> PAGE_SHIFT, copy, 0);
	xa_unlock(&view->overrides);
	mmview_forget_page(view, override->addr);
	spin_unlock_irqrestore(&view->mmviews->lock, flags);
	flush_tlb_mm_range(view->root.mm, override->addr,
			   override->addr + PAGE_SIZE, PAGE_SHIFT, false);
	mmview_override_put(override);
	return copy;
}

/*
 * Write @len bytes at @addr, all in one page, into the view. mmviews->mutex is
 * held and the view is not sealed: no CPU reads the page yet.
 */
int mmview_override_write(struct mmview *view, struct mm_struct *mm,
			  unsigned long addr, const void *buf, size_t len)
{
	unsigned long page_addr = addr & PAGE_MASK;
	unsigned int offset = offset_in_page(addr);
	struct mmview_override *override;

	override = mmview_override(view, page_addr);
	if (!override)
		override = add_override(view, mm, page_addr);
	else
		override = mmview_override_unshare(view, override);
	if (IS_ERR(override))
		return PTR_ERR(override);
	/* A concurrent munmap() may give it up, but it stays until free. */
	memcpy_to_page(override->page, offset, buf, len);
	bitmap_set(override->changed, offset, len);
	return 0;
}

/* Read @len bytes at @addr, all in one page, as a thread in the view would. */
int mmview_read(struct mmview *view, struct mm_struct *mm, unsigned long addr,
		void *buf, size_t len)
{
	struct mmview_override *override = mmview_override_get(view, addr);

	if (override) {
		memcpy_from_page(buf, override->page, offset_in_page(addr), len);
		mmview_override_put(override);
		return 0;
	}
	return access_remote_vm(mm, addr, buf, len, FOLL_FORCE) == len ?
		0 : -EFAULT;
}

/* @to, a new view, gets the overrides of @from by reference. */
int mmview_copy_overrides(struct mmview *to, struct mmview *from)
{
	struct mmview_override *override;
	unsigned long index = 0;
	bool gone;
	int err;

	for (;; index++) {
		spin_lock_irq(&from->mmviews->lock);
		override = xa_find(&from->overrides, &index, ULONG_MAX,
				   XA_PRESENT);
		gone = xa_get_mark(&from->overrides, index, MMVIEW_GONE);
		if (override && !gone)
			refcount_inc(&override->refs);
		spin_unlock_irq(&from->mmviews->lock);
		if (!override)
			return 0;
		if (gone)
			continue;
		err = mmview_add_zone(to, override->addr);
		if (!err)
			err = xa_err(xa_store_irq(&to->overrides, index,
						  override,
						  MMVIEW_GFP));
		if (err) {
			mmview_override_put(override);
			return err;
		}
	}
}

unsigned int mmview_count_overrides(struct mmview *view)
{
	struct mmview_override *override;
	unsigned long index;
	unsigned int nr = 0;

	rcu_read_lock();
	xa_for_each(&view->overrides, index, override)
		nr += !xa_get_mark(&view->overrides, index, MMVIEW_GONE);
	rcu_read_unlock();
	return nr;
}

/* No table maps them and nobody can find the view any more. */
void mmview_free_overrides(struct mmview *view)
{
	struct mmview_override *override;
	unsigned long index;

	xa_for_each(&view->overrides, index, override)
		mmview_override_put(override);
	xa_destroy(&view->overrides);
}
