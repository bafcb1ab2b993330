/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ASM_X86_MMVIEW_H
#define _ASM_X86_MMVIEW_H

#include <linux/mmview.h>

/* The page-table root that a CPU loads for @mm in @view (NULL: the base). */
static inline pgd_t *mmview_pgd(struct mmview_root *view, struct mm_struct *mm)
{
	return unlikely(view) ? view->pgd : mm->pgd;
}

/* What names that root in cpu_tlbstate.ctxs; its tlb_gen is always @mm's. */
static inline u64 mmview_ctx_id(struct mmview_root *view, struct mm_struct *mm)
{
	return unlikely(view) ? view->ctx_id : mm->context.ctx_id;
}

/* A pgd with the kernel half filled in, for a view of @mm; @mm->pgd stays. */
pgd_t *pgd_alloc_view(struct mm_struct *mm);
void pgd_free_view(struct mm_struct *mm, pgd_t *pgd);

/* This CPU leaves @view, if that is what it has loaded, for the base. */
void mmview_leave_cpu(struct mmview_root *view);

#endif /* _ASM_X86_MMVIEW_H */
