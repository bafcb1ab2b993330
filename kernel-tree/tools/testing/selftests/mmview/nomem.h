/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that runs out: what the operations of nomem_ops.c tell nomem.c, which
 * makes their allocations fail, and the random load of nomem_random.c.
 *
 * Invariant: an operation that has failed has changed nothing that look() sees,
 * and works when it is tried again.
 */
#ifndef MMVIEW_NOMEM_H
#define MMVIEW_NOMEM_H

#include "mmview_util.h"

#define SLAB		"/sys/kernel/debug/failslab/"
#define PAGE_ALLOC	"/sys/kernel/debug/fail_page_alloc/"

struct op {
	const char *name;
	void (*prepare)(void);
	long (*run)(void);		/* as a system call: -1 and errno */
	void (*succeeded)(long result);
	void (*failed)(void);		/* or NULL */
	int err;			/* besides ENOMEM, 0: none */
};

extern const struct op ops[];
extern const unsigned int nr_ops;

/* What can be seen of the process that the operation has been prepared in. */
struct sight {
	char maps[16384];
	int views, overrides, flags, value, far_value;
	int beside, beside_in_base;	/* a byte of text that no view has changed */
	long mine, others;
};

void look(struct sight *sight);
void expect_same(const struct sight *before);

/* Random failures for some time, in a process with threads in all its views. */
int load_that_fails(void *seconds);

#endif
