/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Views, inside.
 *
 * Lock order, outermost first:
 *
 *	mmviews->mutex		building, sealing and folding the mm's views
 *	  mmap_lock
 *	  task_lock(task)	a task's view and target pointers, from outside
 *	    pi_lock, rq->lock	(task_call_func)
 *	  mmviews->lock		everything in this file marked [L]
 *
 * mmviews->lock is a leaf, taken with interrupts off. Nothing is flushed, and
 * no memory is allocated or freed, under it.
 */
#ifndef _MM_MMVIEW_INTERNAL_H
#define _MM_MMVIEW_INTERNAL_H

#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmview.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <uapi/linux/mmview.h>

/*
 * What an mm knows of its views; mm->mmviews, made with the first view and
 * kept until the mm goes. @active says whether views exist. An invalidation
 * that began while it was false is not counted here; activation waits for
 * those to end (see mmviews_activate()).
 */
struct mmviews {
	struct mutex mutex;		/* building, sealing, folding */
	spinlock_t lock;		/* a leaf, interrupts off; see above */
	bool active;
	struct list_head views;		/* [L] of struct mmview, newest first */
	u64 latest;			/* [L] id of the last that all were asked to enter */
	/*
	 * [L] of struct mmu_notifier_range: invalidations in flight. No mirror
	 * is made inside one. Each has its own range, and not all a common
	 * hull: where many threads invalidate, a hull need never go away.
	 */
	struct list_head invalidations;
	wait_queue_head_t wait;		/* woken when one of them ends */
};

/*
 * A page table that belongs to a view. Its entries are
 *	- 0;
 *	- a pointer to another own table, marked MMVIEW_OWN;
 *	- a pointer to one of the base's tables (PMD and PUD level);
 *	- a leaf: a mirror of the base's, or (PTE level) an override.
 */
struct mmview_table {
	struct list_head node;		/* view->tables */
	enum mmview_level level;
	unsigned long start;		/* first address covered */
	unsigned long end;
	u64 *entries;			/* PTRS_PER_PTE of them, a page */
};

/* Software bit in an entry that points to a table of the view's own. */
#define MMVIEW_OWN	_PAGE_SOFTW1

/*
 * The mark of an override that is given up: its page was unmapped, or the
 * program took it back. It stays in the array until the view goes, because a
 * CPU may use it until the flush.
 */
#define MMVIEW_GONE	XA_MARK_0

/*
 * A page that views have for themselves. It changes only while it has one
 * reference, under mmviews->mutex: while its view is being built, or when a
 * debugger writes text (see access.c). What has more references is copied.
 */
struct mmview_override {
	refcount_t refs;		/* views: forked children and generations */
	unsigned long addr;
	struct page *page;
	DECLARE_BITMAP(changed, PAGE_SIZE);	/* bytes that were written */
};

/*
 * A view. States and what is legal in them:
 *
 *			building	sealed		folded
 *	pwrite, MAP,
 *	GUARD		yes		EBUSY		EBUSY
 *	migrate		seals first	yes		EBUSY
 *	FOLD		EINVAL		if complete	0
 *	tasks in it	none		any		going, then none
 *
 * There is no way back. References: the descriptor, each task's view and
 * target pointer, the transition's work while it is queued.
 */
struct mmview {
	struct mmview_root root;	/* first: struct mmview_root * is this */
	refcount_t refs;
	u64 id;
	struct mmviews *mmviews;	/* root.mm->mmviews */
	struct list_head node;		/* [L] mmviews->views */

	struct list_head tables;	/* [L] once linked into mmviews->views */
	struct xarray overrides;	/* by page number; marked under [L] */

	bool sealed;
	bool folded;
	bool asked;			/* a task was asked to migrate */
	atomic_t tasks;			/* whose view pointer is this view */

	unsigned long arena_start;	/* 0: none */
	unsigned long arena_code;	/* bytes */
	unsigned long arena_end;

	struct mmview_range *guards;	/* its own, then those inherited */
	unsigned int nr_guards;
	unsigned int nr_inherited;
	unsigned long guard_min, guard_max;	/* hull */

	/* the transition */
	bool all;			/* every thread, newborn ones too */
	bool entry;			/* MMVIEW_MIGRATE_ENTRY */
	bool cooperative;		/* MMVIEW_MIGRATE_COOPERATIVE */
	bool complete;
	unsigned int rounds;		/* of the work, so far */
	struct delayed_work work;
	wait_queue_head_t wait;		/* poll */

	struct work_struct free_work;
	struct rcu_head rcu;
};

static inline struct mmview *to_mmview(struct mmview_root *root)
{
	return container_of(root, struct mmview, root);
}

/*
 * Memory for a view is charged to the target's memory cgroup, and must not set
 * off the OOM killer there: that would end the target for our sake.
 */
#define MMVIEW_GFP	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/*
 * A fault in the target's memory that is taken from outside may set it off: see
 * first whether a page can be had without. The caller charges to the target.
 */
static inline int mmview_make_room(void)
{
	struct page *page = alloc_page(MMVIEW_GFP);

	if (!page)
		return -ENOMEM;
	__free_page(page);
	return 0;
}

/*
 * Parts that a debug kernel can take out, to show which test fails without
 * them: a file each in debugfs, mmview/without/.
 */
enum mmview_part {
	MMVIEW_PART_DIRTY,	/* a mirror is writable only if the base is dirty */
	MMVIEW_PART_DROP,	/* mirrors go when a range is invalidated */
	MMVIEW_PART_SEQUENCE,	/* none is made while it is */
	MMVIEW_PART_UNLINK,	/* base tables that are freed are unlinked */
	MMVIEW_PART_YOUNG,	/* none stays where the accessed bit is cleared */
	MMVIEW_PART_STACK,	/* the stack is searched */
	MMVIEW_PART_SIGNAL,	/* signal stacks are recognised */
	MMVIEW_PART_CONFIRM,	/* a blocked thread has not run meanwhile */
	MMVIEW_PART_UNMAP,	/* overrides go when their page is unmapped */
	MMVIEW_PART_AGAIN,	/* a thread that is not safe looks again soon */
	MMVIEW_PARTS
};

#ifdef CONFIG_MMVIEW_DEBUG
extern bool mmview_parts_out[MMVIEW_PARTS];

static inline bool mmview_without(enum mmview_part part)
{
	return unlikely(READ_ONCE(mmview_parts_out[part]));
}

void mmview_debug_init(struct dentry *dir);
void mmview_debug_zones(struct mmview *view, struct mm_struct *mm);
#else
static inline bool mmview_without(enum mmview_part part)
{
	return false;
}

static inline void mmview_debug_init(struct dentry *dir) { }
static inline void mmview_debug_zones(struct mmview *view,
				      struct mm_struct *mm) { }
#endif

/* view.c */
struct mmview *mmview_create(struct mm_struct *mm);
struct mmview *mmview_find(struct mm_struct *mm);
struct mmview *mmview_next(struct mmviews *mmviews, u64 before);
struct mmviews *mmviews_get(struct mm_struct *mm);
void mmviews_activate(struct mmviews *mmviews);
void mmview_publish(struct mmview *view);
static inline struct mmview *mmview_get(struct mmview *view)
{
	refcount_inc(&view->refs);
	return view;
}

void mmview_put(struct mmview *view);
struct mmview *mmview_get_current(void);
void mmview_switch_self(struct mmview *view);

/* tables.c */
int mmview_add_zone(struct mmview *view, unsigned long addr);
void mmview_free_tables(struct mmview *view);
void mmview_prefill(struct mmview *view);
void mmview_forget_page(struct mmview *view, unsigned long addr);

/* override.c */
static inline struct mmview_override *mmview_override(struct mmview *view,
						      unsigned long addr)
{
	unsigned long index = addr >> PAGE_SHIFT;

	if (likely(xa_empty(&view->overrides)) ||
	    xa_get_mark(&view->overrides, index, MMVIEW_GONE))
		return NULL;
	return xa_load(&view->overrides, index);
}

int mmview_override_write(struct mmview *view, struct mm_struct *mm,
			  unsigned long addr, const void *buf, size_t len);
int mmview_read(struct mmview *view, struct mm_struct *mm, unsigned long addr,
		void *buf, size_t len);
struct mmview_override *mmview_override_get(struct mmview *view,
					    unsigned long addr);
void mmview_override_put(struct mmview_override *override);
struct mmview_override *mmview_override_unshare(struct mmview *view,
						struct mmview_override *override);
int mmview_copy_overrides(struct mmview *to, struct mmview *from);
void mmview_free_overrides(struct mmview *view);
unsigned int mmview_count_overrides(struct mmview *view);

/* access.c */
int mmview_base_will_be_written(struct mmviews *mmviews, unsigned long addr,
				size_t len);
void mmview_base_written(struct mmviews *mmviews, unsigned long addr,
			 const void *buf, size_t len);

/* arena.c */
int mmview_arena_map(struct mmview *view, struct mm_struct *mm,
		     struct mmview_map *map);
void mmview_arena_undo(struct mmview *view, struct mm_struct *mm);
int mmview_arena_write(struct mm_struct *mm, unsigned long addr,
		       const void *buf, size_t len);
void mmview_arena_unmap(struct mmview *view);
static inline bool mmview_in_arena(struct mmview *view, unsigned long addr)
{
	return addr >= view->arena_start && addr < view->arena_end;
}

/* check.c */
#define MMVIEW_MAX_RESTORERS	4

/*
 * Where signal handlers return to, as the process has set it: how a signal's
 * frame is known on a stack.
 */
struct mmview_restorers {
	bool too_many;
	unsigned int nr;
	unsigned long at[MMVIEW_MAX_RESTORERS];
};

struct mmview_verdict {
	u32 why;			/* MMVIEW_WHY_*; NONE: safe */
	u32 guard;
	u64 where;
	u64 slot;
};

void mmview_check_self(struct mmview *view, struct pt_regs *regs,
		       struct mmview_verdict *verdict);
void mmview_check_blocked(struct mmview *view, struct task_struct *task,
			  unsigned long ip, unsigned long sp,
			  struct mmview_verdict *verdict);
void mmview_fault_in_stack(struct mmview *view, struct task_struct *task,
			   unsigned long sp);
bool mmview_context_unsafe(struct task_struct *task, unsigned long sp,
			   struct mmview_verdict *verdict);

/* transition.c */
int mmview_migrate_one(struct mmview *view, struct task_struct *task);
int mmview_migrate_all(struct mmview *view);
bool mmview_complete(struct mmview *view);
bool mmview_superseded(struct mmview *view);
void mmview_note_migrated(struct task_struct *task);
long mmview_state(struct mmview *view, struct mmview_state __user *arg);
void mmview_transition_work(struct work_struct *work);
/* Does @task run user code of @mm, so that a transition has to move it? */
static inline bool mmview_counts(struct task_struct *task, struct mm_struct *mm)
{
	return READ_ONCE(task->mm) == mm &&
	       !(task->flags & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER |
				PF_EXITING));
}

/* fold.c */
int mmview_fold(struct mmview *view, struct mm_struct *mm);

#endif /* _MM_MMVIEW_INTERNAL_H */
