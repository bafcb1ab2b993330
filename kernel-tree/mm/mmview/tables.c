// SPDX-License-Identifier: GPL-2.0
/*
 * A view's page tables.
 *
 * The view's pgd starts empty and points to the base's own lower tables as
 * faults ask for them. Only around an override the view has tables of its own:
 * one PUD, one PMD and one PTE table for that 2 MiB, its zone. What they hold
 * besides overrides are mirrors of the base's entries, exactly as a KVM guest's
 * shadow tables mirror a process: dropped when the base announces a change,
 * made again by a fault that finds the base permitting the access.
 *
 * The rule for mirrors: a mirror never permits more than the base's entry, and
 * is writable only if the base's entry is writable AND dirty. Hardware sets
 * the dirty bit only in the entry it walked; were that the mirror's alone, the
 * base would drop the page as clean.
 *
 * Why a mirror is never stale: it is made under mmviews->lock from the base's
 * entry as it is then, and only while no invalidation covers the address. An
 * invalidation announces itself under the same lock before it changes the base
 * and drops the mirrors in its range. So each mirror was made before the
 * announcement, and is dropped by it, or after the end, from the new entry.
 *
 * Why no use is missed: where the base's accessed bit is clear there is no
 * mirror. Who makes one sets the bit, as hardware would that walked the base;
 * who clears the bit drops the mirrors, and the next use comes here again. So
 * the base's bits tell of uses in views as well, and nobody asks the mirrors'.
 */
#include <linux/memcontrol.h>
#include <linux/mmu_notifier.h>
#include <linux/pgtable.h>
#include <asm/mmview.h>
#include <asm/tlbflush.h>
#include <asm/trap_pf.h>
#include "internal.h"

static inline unsigned int level_shift(enum mmview_level level)
{
	return PAGE_SHIFT + 9 * level;
}

static inline unsigned int entry_index(unsigned long addr,
				       enum mmview_level level)
{
	return (addr >> level_shift(level)) & (PTRS_PER_PTE - 1);
}

static inline bool is_leaf(u64 entry, enum mmview_level level)
{
	return level == MMVIEW_PTE || (entry & _PAGE_PSE);
}

static inline bool is_own(u64 entry, enum mmview_level level)
{
	return !is_leaf(entry, level) && (entry & MMVIEW_OWN);
}

static inline u64 *own_table(u64 entry)
{
	return __va(entry & PTE_PFN_MASK);
}

static pgd_t *root_entry(struct mmview *view, unsigned long addr)
{
	return (pgd_t *)view->root.pgd + pgd_index(addr);
}

/* With four levels the p4d is the pgd's entry; set_p4d() knows of KPTI. */
static u64 root_value(struct mmview *view, unsigned long addr)
{
	return READ_ONCE(root_entry(view, addr)->pgd);
}

static void set_root(struct mmview *view, unsigned long addr, u64 value)
{
	set_p4d((p4d_t *)root_entry(view, addr), __p4d(value));
}

/*
 * Point to the base's PUD table. Built from the page number alone: under KPTI
 * the base's own entry, as the kernel sees it, forbids execution.
 */
static void link_root(struct mmview *view, unsigned long addr, u64 p4d)
{
	u64 value = (p4d & PTE_PFN_MASK) | _PAGE_TABLE;
	u64 old = root_value(view, addr);

	if (!(old & _PAGE_PRESENT) || ((old ^ value) & PTE_PFN_MASK))
		set_root(view, addr, value);
}

/* ------------------------------------------------------------------------
 * Building: own tables, before the view is sealed
 */

static struct mmview_table *alloc_table(enum mmview_level level,
					unsigned long addr)
{
	struct mmview_table *table;
	unsigned long span = 1UL << (level_shift(level) + 9);
	struct page *page;

	table = kzalloc(sizeof(*table), MMVIEW_GFP);
	if (!table)
		return NULL;
	page = alloc_page(MMVIEW_GFP | __GFP_ZERO);
	if (!page) {
		kfree(table);
		return NULL;
	}
	table->level = level;
	table->start = addr & ~(span - 1);
	table->end = table->start + span;
	table->entries = page_address(page);
	return table;
}

static void free_table(struct mmview_table *table)
{
	if (!table)
		return;
	free_page((unsigned long)table->entries);
	kfree(table);
}

static struct mmview_table *find_table(struct mmview *view,
				       enum mmview_level level,
				       unsigned long addr)
{
	struct mmview_table *table;

	list_for_each_entry(table, &view->tables, node)
		if (table->level == level &&
		    addr >= table->start && addr < table->end)
			return table;
	return NULL;
}

/*
 * Give @view tables of its own down to the 2 MiB around @addr. Only while the
 * view is being built (no CPU walks it); mmviews->mutex is held, or nobody else
 * knows of the view yet. -ENOMEM, with nothing changed.
 */
int mmview_add_zone(struct mmview *view, unsigned long addr)
{
	struct mmview_table *table[MMVIEW_P4D] = {};
	unsigned long flags;
	int level;

	for (level = MMVIEW_PTE; level <= MMVIEW_PUD; level++) {
		if (find_table(view, level, addr))
			break;
		table[level] = alloc_table(level, addr);
		if (!table[level])
			goto nomem;
	}
	if (level == MMVIEW_PTE)
		return 0;

	spin_lock_irqsave(&view->mmviews->lock, flags);
	for (level = MMVIEW_PUD; level >= MMVIEW_PTE; level--) {
		struct mmview_table *above;
		u64 entry;

		if (!table[level])
			continue;
		entry = __pa(table[level]->entries) | _PAGE_TABLE | MMVIEW_OWN;
		if (level == MMVIEW_PUD) {
			set_root(view, addr, entry);
		} else {
			above = find_table(view, level + 1, addr);
			WRITE_ONCE(above->entries[entry_index(addr, level + 1)],
				   entry);
		}
		list_add(&table[level]->node, &view->tables);
	}
	spin_unlock_irqrestore(&view->mmviews->lock, flags);
	return 0;

nomem:
	for (level = MMVIEW_PTE; level <= MMVIEW_PUD; level++)
		free_table(table[level]);
	return -ENOMEM;
}

/* Nobody walks or lists the view any more. */
void mmview_free_tables(struct mmview *view)
{
	struct mmview_table *table, *next;

	list_for_each_entry_safe(table, next, &view->tables, node) {
		list_del(&table->node);
		free_table(table);
	}
}

/* ------------------------------------------------------------------------
 * Reading the base, without its locks
 */

/* An entry of the base's that maps an address, at whatever level it is. */
struct base_leaf {
	u64 value;			/* with the level's own bits */
	u64 *entry;			/* where that was read */
	enum mmview_level level;
	u64 p4d, pud, pmd;		/* the entries that led to it */
	u64 *pmd_entry;			/* at level PTE: where that was read */
};

/*
 * Interrupts are off: that holds off the freeing of the base's tables, as it
 * does for gup_fast. False: nothing present is mapped there.
 */
static bool read_base(struct mm_struct *mm, unsigned long addr,
		      struct base_leaf *leaf)
{
	p4d_t *p4dp = p4d_offset(pgd_offset(mm, addr), addr);
	p4d_t p4d = READ_ONCE(*p4dp);
	pud_t pud;
	pmd_t pmd;
	pte_t *ptep;

	if (!p4d_present(p4d))
		return false;
	leaf->p4d = p4d_val(p4d);
	pud = READ_ONCE(*pud_offset(&p4d, addr));
	leaf->pud = pud_val(pud);
	if (!(leaf->pud & _PAGE_PRESENT))
		return false;
	if (leaf->pud & _PAGE_PSE) {
		leaf->value = leaf->pud;
		leaf->entry = (u64 *)pud_offset(&p4d, addr);
		leaf->level = MMVIEW_PUD;
		return true;
	}
	pmd = READ_ONCE(*pmd_offset(&pud, addr));
	leaf->pmd = pmd_val(pmd);
	if (!(leaf->pmd & _PAGE_PRESENT))
		return false;
	if (leaf->pmd & _PAGE_PSE) {
		leaf->value = leaf->pmd;
		leaf->entry = (u64 *)pmd_offset(&pud, addr);
		leaf->level = MMVIEW_PMD;
		return true;
	}
	ptep = pte_offset_kernel(&pmd, addr);
	leaf->value = pte_val(ptep_get_lockless(ptep));
	leaf->entry = (u64 *)ptep;
	leaf->pmd_entry = (u64 *)pmd_offset(&pud, addr);
	leaf->level = MMVIEW_PTE;
	return leaf->value & _PAGE_PRESENT;
}

/*
 * Does the base's entry let a user do this? For a write it must be dirty
 * already; if not, the base has to take the fault first. An entry that was
 * never accessed will do: on x86 a read fault leaves the accessed bit to the
 * hardware (see mark_accessed()). And an execution that found nothing present
 * has to find the mirror first, which forbids it: the base would not, for
 * access_error() goes by X86_PF_PROT.
 */
static bool base_permits(u64 value, unsigned long error_code)
{
	const u64 need = _PAGE_PRESENT | _PAGE_USER;
	const u64 write = _PAGE_RW | _PAGE_DIRTY;

	if ((value & need) != need)
		return false;
	if ((error_code & X86_PF_WRITE) && (value & write) != write &&
	    !(mmview_without(MMVIEW_PART_DIRTY) && (value & _PAGE_RW)))
		return false;
	return !(error_code & X86_PF_PROT) || !(error_code & X86_PF_INSTR) ||
	       !(value & _PAGE_NX);
}

/* ------------------------------------------------------------------------
 * Mirroring
 */

#define SOFT_BITS (_PAGE_SOFTW1 | _PAGE_SOFTW2 | _PAGE_SOFTW3 | \
		   _PAGE_SOFTW4 | BIT_ULL(_PAGE_BIT_SOFTW5))

/* The base's leaf entry, as a mirror at the same level may have it. */
static u64 mirror_of(u64 value)
{
	const u64 write = _PAGE_RW | _PAGE_DIRTY;

	value &= ~(u64)SOFT_BITS;
	if ((value & write) != write && !mmview_without(MMVIEW_PART_DIRTY))
		value &= ~(u64)_PAGE_RW;
	return value;
}

/* The mirror in a PTE of what may be a larger leaf in the base. */
static u64 mirror_pte(const struct base_leaf *leaf, unsigned long addr)
{
	u64 value = mirror_of(leaf->value);
	u64 span, prot, pfn;

	if (leaf->level == MMVIEW_PTE)
		return value;
	span = 1ULL << level_shift(leaf->level);
	/* In a large leaf the PAT bit stands where the address begins. */
	pfn = ((value & PHYSICAL_PAGE_MASK & ~(span - 1)) |
	       (addr & (span - 1) & PAGE_MASK)) >> PAGE_SHIFT;
	prot = pgprot_val(pgprot_large_2_4k(__pgprot(value &
			  (leaf->level == MMVIEW_PMD ? ~PHYSICAL_PMD_PAGE_MASK :
						       ~PHYSICAL_PUD_PAGE_MASK))));
	return (pfn << PAGE_SHIFT) | prot;
}

/* Same protection as the base's, another page, never writable. */
static u64 override_pte(const struct mmview_override *override, u64 mirror)
{
	return (mirror & ~(u64)(PTE_PFN_MASK | _PAGE_RW | _PAGE_DIRTY)) |
	       PFN_PHYS(page_to_pfn(override->page));
}

/*
 * The base's accessed bits on the way to a leaf: its own, and that of the entry
 * which points to its table, by which the multi-gen LRU skips whole tables.
 */
static bool was_accessed(const struct base_leaf *leaf)
{
	return (leaf->value & _PAGE_ACCESSED) &&
	       (leaf->level != MMVIEW_PTE || (leaf->pmd & _PAGE_ACCESSED));
}

static bool set_accessed(u64 *entry, u64 *value)
{
	u64 old = *value;

	*value |= _PAGE_ACCESSED;
	return old == *value || try_cmpxchg64(entry, &old, *value);
}

/*
 * The access that a mirror is made for sets them, as hardware does: atomically,
 * and only in entries that are still the same. False: one is not; read again.
 */
static bool mark_accessed(struct base_leaf *leaf)
{
	if (leaf->level == MMVIEW_PTE &&
	    !set_accessed(leaf->pmd_entry, &leaf->pmd))
		return false;
	return set_accessed(leaf->entry, &leaf->value);
}

static void set_entry(u64 *entry, u64 value, enum mmview_level level)
{
	u64 old = READ_ONCE(*entry);

	if ((old ^ value) & ~(u64)(_PAGE_ACCESSED | _PAGE_DIRTY)) {
#ifdef CONFIG_MMVIEW_DEBUG
		/* Another page under a live entry: somebody was not told. */
		WARN_ONCE((old & _PAGE_PRESENT) && ((old ^ value) & PTE_PFN_MASK),
			  "mmview: stale entry %llx, should be %llx, level %d\n",
			  old, value, level);
#endif
		WRITE_ONCE(*entry, value);
	}
}

static bool invalidating(struct mmviews *mmviews, unsigned long addr)
{
	struct mmu_notifier_range *range;

	if (mmview_without(MMVIEW_PART_SEQUENCE))
		return false;
	list_for_each_entry(range, &mmviews->invalidations, mmview_node)
		if (addr >= range->start && addr < range->end)
			return true;
	return false;
}

enum sync { SYNC_DONE, SYNC_BASE_FIRST, SYNC_BUSY, SYNC_FLUSH };

/*
 * Bring @view up to date for @addr. Interrupts off, mmviews->lock held.
 *
 * SYNC_DONE: what the base permits, the view now permits;
 * SYNC_BASE_FIRST: the base does not permit the access (yet), or the caller
 *	cannot do what it takes;
 * SYNC_BUSY: an invalidation is in progress there: wait, or let the base try;
 * SYNC_FLUSH: an override was given up (only with @take_back): flush the page,
 *	then repeat the access.
 *
 * @accessed: there is an access, and not only somebody who foresees one: then
 *	there is a mirror of what was accessed before, and of nothing else.
 */
static enum sync sync_view(struct mmview *view, unsigned long addr,
			   unsigned long error_code, bool take_back,
			   bool accessed)
{
	struct mmviews *mmviews = view->mmviews;
	struct mmview_override *override;
	struct base_leaf leaf;
	u64 *entry, value;
	u64 mirror;

	lockdep_assert_held(&mmviews->lock);
	if (invalidating(mmviews, addr))
		return SYNC_BUSY;
	do {
		if (!read_base(view->root.mm, addr, &leaf) ||
		    !base_permits(leaf.value, error_code) ||
		    (!accessed && !was_accessed(&leaf)))
			return SYNC_BASE_FIRST;
	} while (!mark_accessed(&leaf));

	value = root_value(view, addr);
	if (!is_own(value, MMVIEW_P4D)) {
		link_root(view, addr, leaf.p4d);
		return SYNC_DONE;
	}

	entry = own_table(value) + entry_index(addr, MMVIEW_PUD);
	value = READ_ONCE(*entry);
	if (!is_own(value, MMVIEW_PUD)) {
		set_entry(entry, leaf.level == MMVIEW_PUD ?
			  mirror_of(leaf.pud) : leaf.pud, MMVIEW_PUD);
		return SYNC_DONE;
	}

	entry = own_table(value) + entry_index(addr, MMVIEW_PMD);
	value = READ_ONCE(*entry);
	if (!is_own(value, MMVIEW_PMD)) {
		if (leaf.level == MMVIEW_PUD)	/* its 2 MiB part of 1 GiB */
			mirror = mirror_of(leaf.pud) |
				 (addr & ~PUD_MASK & PMD_MASK);
		else if (leaf.level == MMVIEW_PMD)
			mirror = mirror_of(leaf.pmd);
		else
			mirror = leaf.pmd;
		set_entry(entry, mirror, MMVIEW_PMD);
		return SYNC_DONE;
	}

	entry = own_table(value) + entry_index(addr, MMVIEW_PTE);
	mirror = mirror_pte(&leaf, addr);
	override = mmview_override(view, addr);
	if (override && !(error_code & X86_PF_WRITE)) {
		set_entry(entry, override_pte(override, mirror), MMVIEW_PTE);
		return SYNC_DONE;
	}
	if (override) {
		/*
		 * The program made the page writable and writes to it: it takes
		 * the page back. Other CPUs may hold the override's translation,
		 * so this needs a flush, which needs interrupts.
		 */
		if (!take_back)
			return SYNC_BASE_FIRST;
		xa_set_mark(&view->overrides, addr >> PAGE_SHIFT, MMVIEW_GONE);
		WRITE_ONCE(*entry, 0);
		return SYNC_FLUSH;
	}
	set_entry(entry, mirror, MMVIEW_PTE);
	return SYNC_DONE;
}

static enum sync sync_locked(struct mmview *view, unsigned long addr,
			     unsigned long error_code, bool take_back)
{
	enum sync result;
	unsigned long flags;

	spin_lock_irqsave(&view->mmviews->lock, flags);
	result = sync_view(view, addr, error_code, take_back, true);
	spin_unlock_irqrestore(&view->mmviews->lock, flags);
	return result;
}

/* ------------------------------------------------------------------------
 * Faults
 */

bool __mmview_fault(unsigned long addr, unsigned long error_code)
{
	struct mmview *view = to_mmview(current->mmview.view);
	struct base_leaf leaf;

	/* An NMI may have hit this CPU with the lock held. */
	if (in_nmi() || addr >= TASK_SIZE_MAX || current->mm != view->root.mm)
		return false;
	if (error_code & (X86_PF_PK | X86_PF_SHSTK | X86_PF_RSVD))
		return false;
	/* Most faults are the base's: find out without the lock. */
	if (!read_base(view->root.mm, addr, &leaf) ||
	    !base_permits(leaf.value, error_code))
		return false;
	return sync_locked(view, addr, error_code, false) == SYNC_DONE;
}

void __mmview_fault_done(unsigned long addr, unsigned int fault_flags,
			 bool wait)
{
	unsigned long error_code =
		fault_flags & FAULT_FLAG_WRITE ? X86_PF_WRITE : 0;
	struct mmview *view = mmview_get_current();
	enum sync result;

	if (!view)
		return;
	if (addr >= TASK_SIZE_MAX || view->root.mm != current->mm)
		goto put;
	/*
	 * SYNC_BASE_FIRST after the base has handled the fault: somebody else
	 * took the page away again. The access is repeated and finds out.
	 */
	result = sync_locked(view, addr, error_code, true);
	if (result == SYNC_BUSY && wait)
		wait_event_killable(view->mmviews->wait,
				    (result = sync_locked(view, addr, error_code,
							  true)) != SYNC_BUSY);
	if (result == SYNC_FLUSH)
		flush_tlb_mm_range(view->root.mm, addr & PAGE_MASK,
				   (addr & PAGE_MASK) + PAGE_SIZE, PAGE_SHIFT,
				   false);
put:
	mmview_put(view);
}

/* Pages that are mirrored under one lock, interrupts off. */
#define PREFILL_BATCH	32

/*
 * Before the first thread comes: mirror around the overrides what the base
 * maps now, so that threads need not fault for it, above all those that have
 * locked their memory. What lies further away costs a fault without a wait.
 */
void mmview_prefill(struct mmview *view)
{
	struct mmview_table *table;
	unsigned long addr, i;

	/* mmviews->mutex is held: nobody adds tables, and none is removed. */
	list_for_each_entry(table, &view->tables, node) {
		if (table->level != MMVIEW_PTE)
			continue;
		for (addr = table->start; addr < table->end;
		     addr += PREFILL_BATCH * PAGE_SIZE) {
			spin_lock_irq(&view->mmviews->lock);
			for (i = 0; i < PREFILL_BATCH; i++)
				sync_view(view, addr + i * PAGE_SIZE, 0, false,
					  false);
			spin_unlock_irq(&view->mmviews->lock);
		}
		cond_resched();
	}
}

/*
 * The override at @addr is another page now: what leads to the old one goes.
 * The caller flushes before it frees that. mmviews->lock is held.
 */
void mmview_forget_page(struct mmview *view, unsigned long addr)
{
	struct mmview_table *table = find_table(view, MMVIEW_PTE, addr);

	lockdep_assert_held(&view->mmviews->lock);
	if (table)
		WRITE_ONCE(table->entries[entry_index(addr, MMVIEW_PTE)], 0);
}

/* ------------------------------------------------------------------------
 * The base changes
 */

struct drop {
	bool any;		/* an entry was dropped: flush */
	bool tables;		/* one that pointed to a table */
};

static void drop_range(struct mmview *view, unsigned long start,
		       unsigned long end, struct drop *drop)
{
	struct mmview_table *table;

	list_for_each_entry(table, &view->tables, node) {
		unsigned int shift = level_shift(table->level);
		unsigned long from = max(start, table->start);
		unsigned long to = min(end, table->end);
		unsigned long addr, next;

		for (addr = from; addr < to; addr = next) {
			u64 *entry = &table->entries[entry_index(addr,
							table->level)];
			u64 value = READ_ONCE(*entry);

			next = ((addr >> shift) + 1) << shift;
			if (!value || is_own(value, table->level))
				continue;
			if (!is_leaf(value, table->level)) {
				/* The base's table stays unless all it spans goes. */
				if ((addr & ((1UL << shift) - 1)) || next > end)
					continue;
				drop->tables = true;
			}
			WRITE_ONCE(*entry, 0);
			drop->any = true;
		}
	}
}

/* The range is unmapped for good: a later mapping there is another one. */
static void drop_overrides(struct mmview *view, unsigned long start,
			   unsigned long end)
{
	struct mmview_override *override;
	unsigned long index;

	if (xa_empty(&view->overrides))
		return;
	xa_for_each_range(&view->overrides, index, override,
			  start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT)
		xa_set_mark(&view->overrides, index, MMVIEW_GONE);
}

void __mmview_invalidate_start(struct mmu_notifier_range *range)
{
	struct mmviews *mmviews = range->mm->mmviews;
	struct drop drop = {};
	struct mmview *view;
	unsigned long flags;

	spin_lock_irqsave(&mmviews->lock, flags);
	list_add(&range->mmview_node, &mmviews->invalidations);
	list_for_each_entry(view, &mmviews->views, node) {
		if (!mmview_without(MMVIEW_PART_DROP))
			drop_range(view, range->start, range->end, &drop);
		if (range->event == MMU_NOTIFY_UNMAP &&
		    !mmview_without(MMVIEW_PART_UNMAP))
			drop_overrides(view, range->start, range->end);
	}
	spin_unlock_irqrestore(&mmviews->lock, flags);

	range->flags |= MMU_NOTIFIER_RANGE_MMVIEW;
	if (drop.any)
		flush_tlb_mm_range(range->mm, range->start, range->end,
				   PAGE_SHIFT, drop.tables);
}

void __mmview_invalidate_end(struct mmu_notifier_range *range)
{
	struct mmviews *mmviews = range->mm->mmviews;
	unsigned long flags;

	spin_lock_irqsave(&mmviews->lock, flags);
	list_del(&range->mmview_node);
	range->flags &= ~MMU_NOTIFIER_RANGE_MMVIEW;
	spin_unlock_irqrestore(&mmviews->lock, flags);
	if (wq_has_sleeper(&mmviews->wait))
		wake_up_all(&mmviews->wait);
}

/*
 * The base cleared the accessed bit of an entry that spans this range, a leaf
 * or one that points to a table. Somebody holds that table's lock.
 */
void __mmview_clear_young(struct mm_struct *mm, unsigned long start,
			  unsigned long end)
{
	struct mmviews *mmviews = mm->mmviews;
	struct drop drop = {};
	struct mmview *view;
	unsigned long flags;

	if (mmview_without(MMVIEW_PART_YOUNG))
		return;
	spin_lock_irqsave(&mmviews->lock, flags);
	list_for_each_entry(view, &mmviews->views, node)
		drop_range(view, start, end, &drop);
	spin_unlock_irqrestore(&mmviews->lock, flags);
	/* No flush: a stale translation only hides a use for a while. */
}

/*
 * The base cleared its entry at @level, for @addr, that pointed to a table,
 * and will free the table after a flush of this mm. Own tables must not lead
 * there any more when that flush comes.
 */
void __mmview_unlink(struct mm_struct *mm, unsigned long addr,
		     enum mmview_level level)
{
	struct mmviews *mmviews = mm->mmviews;
	struct mmview_table *table;
	struct mmview *view;
	unsigned long flags;
	u64 *entry;

	if (mmview_without(MMVIEW_PART_UNLINK))
		return;
	spin_lock_irqsave(&mmviews->lock, flags);
	list_for_each_entry(view, &mmviews->views, node) {
		if (level == MMVIEW_P4D) {
			if (!is_own(root_value(view, addr), level))
				set_root(view, addr, 0);
			continue;
		}
		table = find_table(view, level, addr);
		if (!table)
			continue;
		entry = &table->entries[entry_index(addr, level)];
		if (!is_own(READ_ONCE(*entry), level))
			WRITE_ONCE(*entry, 0);
	}
	spin_unlock_irqrestore(&mmviews->lock, flags);
}
